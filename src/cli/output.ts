import { stripVTControlCharacters } from 'node:util';
import { VnmError } from '../model/errors.ts';
import { toned } from './style.ts';

/** Formats rows under a heading, in columns as wide as their widest cell; numbers are right-aligned. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [heading, ...rows].map((row) => row.map(String));
  const widths = heading.map((_, column) => cells.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0));
  const numeric = heading.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-~]?[\d.]*( ms)?$/.test(String(row[column]))),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const room = ' '.repeat(widths[column]! - widthOf(cell));
        return numeric[column] ? `${room}${cell}` : `${cell}${room}`;
      })
      .join('  ')
      .trimEnd();
  return [line(cells[0]!), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n');
}

/** The width of a cell, which may have colours. */
function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

export function ms(value: number, digits = 1): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '-';
}

/** Formats a local time with milliseconds. */
export function clockTime(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (n: number) => String(n).padStart(2, '0');
  const thousandths = String(Math.floor(unixMs) % 1000).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

/** Formats an error for people, on stderr: the message, and the hint below it. */
export function errorText(error: unknown): string {
  const name = toned('bad', 'pl-vnm:', process.stderr);
  if (!(error instanceof VnmError))
    return `${name} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  const hint = error.hint === undefined ? '' : `\n  ${toned('doubtful', 'hint:', process.stderr)} ${error.hint}`;
  return `${name} ${error.message}${hint}`;
}

/** Stands for the name of a placement that has none. */
export const noName = '(no name)';

export function quotedName(name: string | null): string {
  return name === null ? noName : `'${name}'`;
}
