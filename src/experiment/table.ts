import { VnmError } from '../model/errors.ts';

/** A field of a table: null stands for a value that does not exist. */
export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

/** A table with a heading, as in the CSV files of a result folder. A row may lack columns. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** Formats a table as CSV (RFC 4180, but lines end in LF): quotes only where a field needs them, null as nothing. */
export function formatCsv({ columns, rows }: Table): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? null))];
  return lines.map((fields) => `${fields.map(field).join(',')}\n`).join('');
}

function field(value: Cell): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Reads what `formatCsv` writes. A field is a number if it is written as JavaScript writes numbers; an empty one is
 * null. Throws VnmError `invalid-input` with `file` and the line for a row with more or fewer fields than the heading,
 * or a quote that is not closed.
 */
export function parseCsv(text: string, file: string): Table {
  const [heading, ...records] = recordsOf(text, file);
  if (heading === undefined) throw new VnmError('invalid-input', `${file}: the table has no heading`);
  const columns = heading.fields;
  const rows = records.map(({ line, fields }) => {
    if (fields.length !== columns.length) {
      throw new VnmError(
        'invalid-input',
        `${file}:${line}: the row has ${fields.length} fields, the heading has ${columns.length}`,
        { hint: 'the file was cut off or changed: take the row out, or write the table again from the runs' },
      );
    }
    return Object.fromEntries(columns.map((column, index) => [column, cell(fields[index]!)]));
  });
  return { columns, rows };
}

function cell(text: string): Cell {
  if (text === '') return null;
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? number : text;
}

interface CsvRecord {
  readonly line: number;
  readonly fields: string[];
}

function recordsOf(text: string, file: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let line = 1;
  let fields: string[] = [];
  let start = line;
  // A field in quotes or without, and what ends it.
  const token = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (token.lastIndex < text.length || fields.length > 0) {
    const match = token.exec(text);
    if (match === null) throw new VnmError('invalid-input', `${file}:${line}: a quote is not closed, or misplaced`);
    const [all, quoted, plain, end] = match;
    fields.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    line += all.split('\n').length - 1;
    if (end === ',') continue;
    records.push({ line: start, fields });
    fields = [];
    start = line;
    if (end === '') break;
  }
  return records;
}
