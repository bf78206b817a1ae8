import { VnmError } from '../model/errors.ts';

/** Formats rows under a heading, in columns as wide as their widest cell; numbers are right-aligned. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [heading, ...rows].map((row) => row.map(String));
  const widths = heading.map((_, column) => cells.reduce((most, row) => Math.max(most, (row[column] ?? '').length), 0));
  const numeric = heading.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-~]?[\d.]*( ms)?$/.test(String(row[column]))),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(cells[0]!), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n');
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

/** Formats an error for people: the message, and the hint below it. */
export function errorText(error: unknown): string {
  if (!(error instanceof VnmError))
    return `pl-vnm: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  return `pl-vnm: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`;
}

/** Stands for the name of a placement that has none. */
export const noName = '(no name)';

export function quotedName(name: string | null): string {
  return name === null ? noName : `'${name}'`;
}
