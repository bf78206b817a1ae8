/** Tables as CSV (RFC 4180, but with line feeds alone): a heading, then a line per row. */

export type Cell = string | number | null | undefined;

export function formatCsv(heading: readonly string[], rows: Iterable<readonly Cell[]>): string {
  return [heading, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}

/** Numbers have at most six decimals; what does not exist is an empty field. */
function cell(value: Cell): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toFixed(6)));
  return /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
