import type { Comparison, ComparisonRow } from '../experiment/statistics/compare-results.ts';
import type { Effect } from '../experiment/statistics/effect.ts';
import { confidence, fewestForInterval } from '../experiment/statistics/median-interval.ts';
import type { Summary } from '../experiment/statistics/summary.ts';
import { table } from './output.ts';

/** Formats a comparison for people: a table, what only one of the two measured, and how to read it. */
export function comparisonText({ a, b, varied, rows, onlyIn }: Comparison): string {
  const parts = [
    `A: ${a}\nB: ${b}`,
    table(
      [...varied, 'measured value', 'A median', 'n', 'B median', 'n', 'effect', '95 % interval', 'finding'],
      rows.map((row) => [
        ...varied.map((name) => String(row.parameters[name] ?? '-')),
        row.measure,
        ...medianCells(row.a),
        ...medianCells(row.b),
        ...effectCells(row),
      ]),
    ),
  ];
  for (const [which, measures] of [['A', onlyIn.a] as const, ['B', onlyIn.b] as const]) {
    if (measures.length > 0) parts.push(`only ${which} has: ${measures.join(', ')}`);
  }
  return [...parts, legend(rows)].join('\n\n');
}

function medianCells({ median, n, failed }: Summary): string[] {
  return [number(median), failed === 0 ? String(n) : `${n} (${failed} failed)`];
}

function effectCells({ effect }: ComparisonRow): string[] {
  if (effect === null) return ['-', '-', 'no values'];
  return [effectText(effect), intervalText(effect), verdict(effect)];
}

function effectText({ kind, value }: Effect): string {
  return kind === 'ratio' ? `x ${number(value)}` : signed(value);
}

function intervalText({ kind, interval }: Effect): string {
  if (interval === null) return '-';
  const text = kind === 'ratio' ? number : signed;
  return `${text(interval.low)} to ${text(interval.high)}`;
}

function verdict({ interval, isShown, value, kind }: Effect): string {
  if (interval === null) return `fewer than ${fewestForInterval} values`;
  if (!isShown) return 'no difference shown';
  return value > (kind === 'ratio' ? 1 : 0) ? 'B is larger' : 'B is smaller';
}

function legend(rows: readonly ComparisonRow[]): string {
  const lines = [
    'effect: x is the ratio B / A of the medians; + and - is the difference B - A, where a median or its interval touches 0',
  ];
  const compared = rows.filter(({ effect }) => effect?.interval).length;
  const byChance = Math.round(compared * (1 - confidence));
  if (byChance > 0) {
    lines.push(`even if nothing differed, about ${byChance} of the ${compared} comparisons would show a difference`);
  }
  return lines.join('\n');
}

/** Four digits that count. */
function number(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)));
}

function signed(value: number): string {
  const sign = value < 0 ? '-' : value > 0 ? '+' : '';
  return `${sign}${number(Math.abs(value))}`;
}
