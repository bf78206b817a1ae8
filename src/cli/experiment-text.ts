/** Formats the results of experiments for people. */
import { join, relative } from 'node:path';
import type { ExperimentResult } from '../experiment/run-experiment.ts';
import type { SummaryRow } from '../experiment/statistics/runs.ts';
import { table } from './output.ts';

/** What is shown of the measured values; `summary.csv` has them all. */
const shown = ['duration_ms', 'lost_packets', 'predicted_lost_packets', 'longest_gap_ms', 'redirection_spread_ms'];

/** Formats how many runs there are of each outcome, the main values of each combination, and where everything is. */
export function experimentText({ folder, samples, summary, emptyFigures }: ExperimentResult): string {
  const path = relative('.', folder.path) || '.';
  const { experiment, share } = folder;
  const missing = share.length - samples.length;
  const counts = (['completed', 'failed', 'rolled-back', 'skipped'] as const).flatMap((outcome) => {
    const count = samples.filter((sample) => sample.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  const lines = [
    `experiment '${experiment.name}': ${share.length} runs: ${[...counts, ...(missing > 0 ? [`${missing} missing`] : [])].join(', ')}`,
    summaryTable(summary),
    emptyFigures.length === 0 ? '' : `not drawn, since no run has a value: ${emptyFigures.join(', ')}`,
    `everything is in ${path}; open ${join(path, 'index.html')}`,
  ];
  return lines.filter((line) => line !== '').join('\n\n');
}

function summaryTable(summary: readonly SummaryRow[]): string {
  const rows = summary.filter(({ measure, summary: { n, failed } }) => shown.includes(measure) && n + failed > 0);
  if (rows.length === 0) return '';
  const names = Object.keys(rows[0]!.parameters);
  const varied = names.filter((name) => new Set(rows.map(({ parameters }) => parameters[name])).size > 1);
  return table(
    [...varied, 'measured value', 'n', 'failed', 'median', '5 %', '95 %', '95 % interval of the median'],
    rows.map(({ parameters, measure, summary: { n, failed, median, p5, p95, interval } }) => [
      ...varied.map((name) => parameters[name] ?? '-'),
      measure,
      n,
      failed,
      ...[median, p5, p95].map(number),
      interval === null ? '-' : `${number(interval.low)} to ${number(interval.high)}`,
    ]),
  );
}

/** Four digits that count. */
function number(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)));
}
