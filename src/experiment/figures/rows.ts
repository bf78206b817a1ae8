/** Pure: from the tables of a result folder and a definition to what a figure is drawn from. */
import { phaseNames } from '../../controller/base/phase.ts';
import { VnmError } from '../../model/errors.ts';
import { ascending, quantile } from '../statistics/quantile.ts';
import { isFailed } from '../statistics/runs.ts';
import { summarize } from '../statistics/summary.ts';
import type { Cell, Row, Table } from '../table.ts';
import { type Axis, axisOf, type FigureDefinition } from './definition.ts';
import { conversion, unitOf } from './units.ts';

/** The tables of a result folder that figures are drawn from. */
export interface ResultTables {
  readonly samples: Table;
  readonly flows: Table;
  readonly redirections: Table;
  /** Columns `run`, `phase`, `phase_ms`. */
  readonly phases: Table;
}

/** A group of measured rows: one series in one panel. */
export interface Group {
  readonly panel: string;
  readonly series: string;
  readonly rows: readonly Row[];
}

/** A measured mark of a figure. Numbers are in the units drawn. */
export interface Mark {
  readonly panel: string;
  readonly series: string;
  readonly x: number | string;
  readonly y: number;
  /** The ends of the spread. */
  readonly low: number | null;
  readonly high: number | null;
  /** How many values `y` stands for. */
  readonly n: number;
  /** The run, if it is one value. */
  readonly run: number | null;
}

export interface Selection {
  readonly groups: readonly Group[];
  /** In the order to show. */
  readonly panels: readonly string[];
  readonly series: readonly string[];
  /** The rows of the definition's level, which belong to no group. */
  readonly level: readonly Row[];
  /** Completed and failed runs that meet the conditions of the definition. */
  readonly completedRuns: number;
  readonly failedRuns: number;
}

/**
 * Selects the rows of a figure. Rows of flows and redirections also have the columns of their run; rows of flows have
 * `flow` and `gateways`, like `e1 → e2`. Only completed runs are selected. Throws VnmError `invalid-input` for a column
 * that the table does not have.
 */
export function select(tables: ResultTables, definition: FigureDefinition): Selection {
  checkColumns(tables, definition);
  const { where = {}, by = [], panels, labels = {}, level } = definition;
  const byColumns = Array.isArray(by) ? by : [by];
  const all = joined(tables, definition.from ?? 'samples');
  const selected = all.filter((row) => row.outcome === 'completed' && isMet(row, where));
  const isOfLevel = (row: Row) => level !== undefined && isMet(row, level.where);
  const rows = selected.filter((row) => !isOfLevel(row));
  const panelOf = (row: Row) => (panels === undefined ? '' : labelOf(row[panels], labels));
  const seriesOf = (row: Row) => (byColumns.length === 0 ? 'measured' : seriesName(row, byColumns, labels));
  const order = Object.values(labels);
  const grouped = Map.groupBy(rows, (row) => JSON.stringify([panelOf(row), seriesOf(row)]));
  const runs = runsThatMeet(tables.samples, where);
  return {
    groups: [...grouped.values()]
      .map((group) => ({ panel: panelOf(group[0]!), series: seriesOf(group[0]!), rows: group }))
      .toSorted((a, b) => inOrder(order)(a.panel, b.panel) || inOrder(order)(a.series, b.series)),
    panels: [...new Set(rows.map(panelOf))].toSorted(inOrder(order)),
    series: [...new Set(rows.map(seriesOf))].toSorted(inOrder(order)),
    level: selected.filter(isOfLevel),
    completedRuns: new Set(rows.map(({ run }) => run)).size,
    failedRuns: runs.filter(isFailed).length,
  };
}

/** Throws VnmError `invalid-input` if a definition names a column that its table does not have. */
export function checkColumns(
  tables: { readonly [Name in keyof ResultTables]: Pick<Table, 'columns'> },
  definition: FigureDefinition,
): void {
  const { name, from = 'samples', x, y, by = [], panels, where = {}, level } = definition;
  const known = new Set([...tables[from].columns, ...tables.samples.columns]);
  if (from === 'flows') for (const derived of ['flow', 'gateways']) known.add(derived);
  const used = [
    axisOf(x).column,
    ...(y === undefined ? [] : [axisOf(y).column]),
    ...(Array.isArray(by) ? by : [by]),
    ...(panels === undefined ? [] : [panels]),
    ...Object.keys({ ...where, ...level?.where }),
  ];
  const unknown = used.find((column) => !known.has(column));
  if (unknown === undefined) return;
  throw new VnmError('invalid-input', `figure '${name}': ${from} have no column '${unknown}'`, {
    hint: `columns: ${[...known].join(', ')}`,
  });
}

function joined({ samples, ...others }: ResultTables, from: keyof ResultTables): Row[] {
  if (from === 'samples') return [...samples.rows];
  const runs = new Map(samples.rows.map((row) => [row.run, row]));
  return others[from].rows.map((row) => ({
    ...runs.get(row.run ?? null),
    ...row,
    ...(from === 'flows' && { flow: `${row.from} → ${row.to}`, gateways: `${row.from_gateway} → ${row.to_gateway}` }),
  }));
}

type Conditions = NonNullable<FigureDefinition['where']>;

function isMet(row: Row, where: Conditions): boolean {
  return Object.entries(where).every(([column, value]) => {
    const allowed = Array.isArray(value) ? value : [value];
    return allowed.some((one) => String(one) === String(row[column] ?? ''));
  });
}

/** The runs that meet those conditions that a run can meet: one on a flow or a gateway does not exclude a run. */
function runsThatMeet({ columns, rows }: Table, where: Conditions): Row[] {
  const ofRuns = Object.fromEntries(Object.entries(where).filter(([column]) => columns.includes(column)));
  return rows.filter((row) => isMet(row, ofRuns));
}

/** The text that the definition gives a value, or the value itself. */
export function labelOf(value: Cell | undefined, labels: Readonly<Record<string, string>>): string {
  const text = String(value ?? 'none');
  return Object.hasOwn(labels, text) ? labels[text]! : text;
}

/** A value that a row lacks is left out, unless it has none of them: method `vroom` has no schedule. */
function seriesName(row: Row, columns: readonly string[], labels: Readonly<Record<string, string>>): string {
  const given = columns.filter((name) => (row[name] ?? '') !== '');
  return (given.length > 0 ? given : columns).map((name) => labelOf(row[name], labels)).join(', ');
}

/** So that r2 comes before r10. */
function sortKey(text: string): string {
  return text.replaceAll(/\d+/g, (digits) => digits.padStart(15, '0'));
}

/** Texts in the order that is given, then numbers by size, then others by their characters and numbers. */
function inOrder(order: readonly string[]) {
  const place = (text: string) => (order.includes(text) ? order.indexOf(text) : order.length);
  return (a: string, b: string): number => {
    if (place(a) !== place(b)) return place(a) - place(b);
    const [numberA, numberB] = [Number(a), Number(b)];
    if (!Number.isNaN(numberA) && !Number.isNaN(numberB)) return numberA - numberB;
    const [keyA, keyB] = [sortKey(a), sortKey(b)];
    return keyA < keyB ? -1 : keyA > keyB ? 1 : 0;
  };
}

/** What a definition draws of the selected rows, in a fixed order; rows without a value are counted as `without`. */
export interface Drawn {
  readonly marks: readonly Mark[];
  readonly without: number;
  /** The categories of bars, in the order to show. */
  readonly categories: readonly string[];
}

export function marksOf(definition: FigureDefinition, { groups }: Selection): Drawn {
  const parts = groups.map((group) => marksOfGroup(definition, group));
  const marks = parts.flatMap((part) => part.marks);
  const categories = [...new Set(marks.map(({ x }) => x).filter((x) => typeof x === 'string'))];
  return {
    marks,
    without: parts.reduce((sum, part) => sum + part.without, 0),
    categories: categories.toSorted(inOrder([...Object.values(definition.labels ?? {}), ...ownOrder(definition)])),
  };
}

/** Phases are in the order in which migrations have them. */
function ownOrder({ from }: FigureDefinition): readonly string[] {
  return from === 'phases' ? phaseNames : [];
}

function marksOfGroup(definition: FigureDefinition, group: Group): { marks: Mark[]; without: number } {
  const { kind } = definition;
  const x = axisOf(definition.x);
  if (kind === 'cdf') return cumulative(group, x);
  const y = axisOf(definition.y!);
  const place = (row: Row) => (kind === 'bars' ? labelOf(row[x.column], definition.labels ?? {}) : drawnValue(row, x));
  const points = group.rows.flatMap((row) => {
    const [at, value] = [place(row), drawnValue(row, y)];
    return at === undefined || value === undefined ? [] : [{ at, value, run: Number(row.run) }];
  });
  const without = group.rows.length - points.length;
  const { panel, series } = group;
  if (kind === 'scatter') {
    const marks = points.map(({ at, value, run }) => ({
      panel,
      series,
      x: at,
      y: value,
      low: null,
      high: null,
      n: 1,
      run,
    }));
    return { marks: marks.toSorted((a, b) => a.run - b.run || Number(a.x) - Number(b.x) || a.y - b.y), without };
  }
  const places = [...Map.groupBy(points, ({ at }) => at)].toSorted(([a], [b]) => inOrder([])(String(a), String(b)));
  const marks = places.map(([at, values]) => ({
    panel,
    series,
    x: at,
    ...center(
      definition,
      values.map(({ value }) => value),
    ),
    n: values.length,
    run: null,
  }));
  return { marks, without };
}

/** The share in percent of the group's rows with at most x. */
function cumulative({ panel, series, rows }: Group, x: Axis): { marks: Mark[]; without: number } {
  const values = ascending(rows.map((row) => drawnValue(row, x) ?? Number.NaN));
  const mark = (value: number, count: number): Mark => ({
    panel,
    series,
    x: value,
    y: (100 * count) / values.length,
    low: null,
    high: null,
    n: values.length,
    run: null,
  });
  const marks = values.flatMap((value, index) => (values[index + 1] === value ? [] : [mark(value, index + 1)]));
  // Every curve begins on the x axis.
  return { marks: values.length === 0 ? [] : [mark(values[0]!, 0), ...marks], without: rows.length - values.length };
}

function center(
  { statistic = 'median', spread = statistic === 'median' ? 'interval' : 'range' }: FigureDefinition,
  values: readonly number[],
): Pick<Mark, 'y' | 'low' | 'high'> {
  const { median, interval, p5, p95 } = summarize(values, 0);
  const y = statistic === 'median' ? median! : values.reduce((sum, value) => sum + value, 0) / values.length;
  if (spread === 'none') return { y, low: null, high: null };
  if (spread === 'range') return { y, low: p5, high: p95 };
  return { y, low: interval?.low ?? null, high: interval?.high ?? null };
}

/** A row's value on an axis, in the unit drawn; undefined if it is not a number. */
export function drawnValue(row: Row, { column, unit }: Axis): number | undefined {
  const value = row[column];
  return typeof value === 'number' ? value * factorOf(column, unit) : undefined;
}

/** By which the values of a column are multiplied to be drawn in `unit`. */
export function factorOf(column: string, unit: Axis['unit']): number {
  const own = unitOf(column);
  return own === undefined || unit === undefined ? 1 : conversion(own, unit)!;
}

/** The median of a column of rows, in its own unit; undefined if no row has a number there. */
export function medianOf(rows: readonly Row[], column: string): number | undefined {
  const values = ascending(rows.map((row) => row[column]).filter((value) => typeof value === 'number'));
  return values.length === 0 ? undefined : quantile(values, 0.5);
}
