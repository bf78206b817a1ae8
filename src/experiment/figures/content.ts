/** Pure: everything that a figure shows, as one table and the notes under its title. */
import { fewestForInterval } from '../statistics/median-interval.ts';
import type { Row, Table } from '../table.ts';
import { type Axis, axisOf, type FigureDefinition, type PaperValue } from './definition.ts';
import type { FigureRow, Role } from './figure-row.ts';
import { levelOf } from './level.ts';
import { type Curve, modelCurves } from './model.ts';
import { type Drawn, labelOf, type Mark, marksOf, type ResultTables, type Selection, select } from './rows.ts';
import { type DrawnAxis, isOn } from './scales.ts';
import { columnIn, type UnitName, unitOf, wordsOf } from './units.ts';
import { counted } from './words.ts';

export interface FigureContent {
  readonly definition: FigureDefinition;
  readonly x: DrawnAxis;
  readonly y: DrawnAxis;
  /** Empty without panels. */
  readonly panels: readonly string[];
  readonly series: readonly { readonly name: string; readonly role: Role }[];
  readonly categories: readonly string[];
  readonly rows: readonly FigureRow[];
  /** How many runs and values it shows, and what it does not show. */
  readonly notes: readonly string[];
}

/**
 * Collects what a figure shows. Undefined if no completed run has a value for it. Throws VnmError `invalid-input` for a
 * column that does not exist, or a model that the rows do not allow.
 */
export function contentOf(tables: ResultTables, definition: FigureDefinition): FigureContent | undefined {
  const selection = select(tables, definition);
  const drawn = marksOf(definition, selection);
  const x = drawnAxis(axisOf(definition.x));
  const y = definition.kind === 'cdf' ? shareAxis(definition) : drawnAxis(axisOf(definition.y!));
  const visible = drawn.marks.filter((mark) => isVisible(mark, x, y));
  if (visible.length === 0) return undefined;

  const measured = visible.map((mark) => measuredRow(mark, definition, y));
  const paper = paperRows(definition, selection);
  const curves = curvesOver(definition, selection, [...measured, ...paper], x);
  const level = levelOf(definition, selection, y);
  const rows = [...measured, ...level.rows, ...modelRows(curves), ...paper];
  return {
    definition,
    x,
    y,
    panels: definition.panels === undefined ? [] : selection.panels,
    series: seriesOf(rows, selection),
    categories: drawn.categories,
    rows,
    notes: [
      ...notesOf(definition, selection, drawn, drawn.marks.length - visible.length),
      ...(curves.some(({ isMixed }) => isMixed)
        ? ['The loss model is drawn for median latencies; those of a series differ.']
        : []),
      ...level.notes,
    ],
  };
}

/** The figure's table, as written to `figures/NAME.csv`: columns have the names and units of what is drawn. */
export function contentTable({ definition, x, y, rows }: FigureContent): Table {
  const [low, high] = spreadColumns(definition);
  const columns = ['role', 'panel', 'series', x.column, `${x.column}_to`, y.column, low, high, 'n', 'run'];
  const table = rows.map(
    (row): Row => ({
      role: row.role,
      panel: row.panel,
      series: row.series,
      [x.column]: row.x,
      [`${x.column}_to`]: row.x2,
      [y.column]: row.y,
      [low]: row.low,
      [high]: row.high,
      n: row.n,
      run: row.run,
    }),
  );
  const used = columns.filter((column) => table.some((row) => row[column] !== null && row[column] !== ''));
  return { columns: used, rows: table };
}

function spreadColumns({ statistic = 'median', spread }: FigureDefinition): [string, string] {
  const isInterval = spread === 'interval' || (spread === undefined && statistic === 'median');
  return isInterval ? ['ci95_low', 'ci95_high'] : ['p5', 'p95'];
}

function drawnAxis({ column, label, unit, scale = 'linear', min, max }: Axis): DrawnAxis {
  const drawnUnit = unit ?? unitOf(column);
  return {
    column: unit === undefined ? column : columnIn(column, unit),
    title: titleOf(label ?? wordsOf(column), drawnUnit),
    scale,
    min,
    max,
  };
}

function titleOf(label: string, unit: UnitName | undefined): string {
  const text = unit === 'us' ? 'µs' : unit;
  return text === undefined || label.includes(text) ? label : `${label} (${text})`;
}

/** The y axis of a distribution. */
function shareAxis({ from = 'samples' }: FigureDefinition): DrawnAxis {
  const things = from === 'samples' ? 'runs' : from;
  return { column: 'share_percent', title: `${things} with at most x (%)`, scale: 'linear', min: 0, max: 100 };
}

function isVisible({ x, y }: Mark, xAxis: DrawnAxis, yAxis: DrawnAxis): boolean {
  return isOn(y, yAxis) && (typeof x === 'string' || isOn(x, xAxis));
}

function measuredRow(mark: Mark, { kind }: FigureDefinition, { scale }: DrawnAxis): FigureRow {
  const end = (value: number | null) => (value !== null && scale === 'log' && value <= 0 ? null : value);
  return {
    role: 'measured',
    ...mark,
    x2: null,
    // The end of a spread that a logarithmic axis has no place for: the mark stands for it.
    low: mark.low === null ? null : (end(mark.low) ?? mark.y),
    high: end(mark.high),
    shape: kind === 'scatter' ? 'point' : kind === 'bars' ? 'bar' : 'line',
  };
}

/** What most rows of papers and models lack. */
const nothing = { x: null, x2: null, y: null, low: null, high: null, n: null, run: null };

function paperRows(definition: FigureDefinition, selection: Selection): FigureRow[] {
  const { paper = [], panels, labels = {} } = definition;
  return paper.flatMap((value) => {
    const places =
      value.panel !== undefined ? [labelOf(value.panel, labels)] : panels === undefined ? [''] : selection.panels;
    return places.flatMap((panel) => paperMarks(value, definition).map((mark) => ({ ...mark, panel })));
  });
}

function paperMarks({ label, x, y, line }: PaperValue, { kind, labels = {} }: FigureDefinition): FigureRow[] {
  const row = { ...nothing, role: 'paper', panel: '', series: `${label} (paper)` } as const;
  if (line !== undefined) return line.map(([atX, atY]) => ({ ...row, x: atX, y: atY, shape: 'line' }));
  if (Array.isArray(x)) return [{ ...row, x: x[0], x2: x[1], shape: 'range' }];
  if (Array.isArray(y)) return [{ ...row, low: y[0], high: y[1], shape: 'range' }];
  const at = { ...row, x: typeof x === 'string' ? labelOf(x, labels) : (x ?? null), y: y ?? null };
  if (x === undefined || y === undefined) return [{ ...at, shape: 'rule' }];
  return [{ ...at, shape: kind === 'bars' ? 'bar' : 'point' }];
}

/** The model's curves, as wide as what else is drawn. */
function curvesOver(
  definition: FigureDefinition,
  { groups }: Selection,
  others: readonly FigureRow[],
  { min, max, scale }: DrawnAxis,
): Curve[] {
  const places = others.flatMap(({ x, x2 }) => [x, x2]).filter((x) => typeof x === 'number');
  const [from, to] = [min ?? Math.min(...places), max ?? Math.max(...places)];
  // A curve a little wider than the points also shows what would follow.
  const margin = scale === 'linear' ? 0.04 * (to - from) : 0;
  return modelCurves(definition, groups, min ?? from - margin, max ?? to + margin);
}

function modelRows(curves: readonly Curve[]): FigureRow[] {
  const latenciesOf = ({ oldLatencyMs, newLatencyMs }: Curve) => `${whole(oldLatencyMs)} → ${whole(newLatencyMs)} ms`;
  const isOne = new Set(curves.map(latenciesOf)).size === 1 && curves.every(({ series }) => series === undefined);
  return curves.flatMap((curve) => {
    const { panel, series, points } = curve;
    const detail = isOne ? latenciesOf(curve) : series;
    const name = detail === undefined ? 'loss model' : `loss model, ${detail}`;
    return points.map(
      ({ x, y }): FigureRow => ({
        ...nothing,
        role: 'model',
        panel,
        series: name,
        x,
        y,
        shape: 'line',
      }),
    );
  });
}

function whole(value: number): string {
  return String(Math.round(value));
}

/** What the legend shows: measured series in their order, then the model, then papers. */
function seriesOf(rows: readonly FigureRow[], selection: Selection): FigureContent['series'] {
  const named = (role: Role) => [...new Set(rows.filter((row) => row.role === role).map(({ series }) => series))];
  const measured = named('measured');
  const inTheirOrder = [...selection.series, ...measured.filter((name) => !selection.series.includes(name))];
  return [
    ...inTheirOrder.filter((name) => measured.includes(name)).map((name) => ({ name, role: 'measured' as const })),
    ...named('model').map((name) => ({ name, role: 'model' as const })),
    ...named('paper').map((name) => ({ name, role: 'paper' as const })),
  ];
}

function notesOf(
  definition: FigureDefinition,
  { completedRuns, failedRuns }: Selection,
  { marks, without }: Drawn,
  hidden: number,
): string[] {
  const { kind, from = 'samples' } = definition;
  const one = { samples: 'run', flows: 'flow of a run', redirections: 'redirection', phases: 'phase of a run' }[from];
  const what =
    kind === 'scatter'
      ? `A point per ${one}, ${counted(completedRuns, 'run')}`
      : kind === 'cdf'
        ? `Each ${one} counts once, ${counted(completedRuns, 'run')}`
        : `${centerText(definition, marks, from)}${spreadText(definition, marks)}`;
  const missing = [
    ...(failedRuns > 0 ? [counted(failedRuns, 'failed run')] : []),
    ...(without > 0 ? [`${counted(without, 'row')} without a value`] : []),
    ...(hidden > 0 ? [`${counted(hidden, 'value')} outside the axes`] : []),
  ];
  return [`${what}.`, ...(missing.length > 0 ? [`Not shown: ${missing.join(', ')}.`] : [])];
}

function centerText({ statistic = 'median' }: FigureDefinition, marks: readonly Mark[], from: string): string {
  const things = from === 'samples' || from === 'phases' ? 'runs' : from;
  const counts = marks.map(({ n }) => n);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (most === 1) return `Each value is one of the ${things}`;
  return `${statistic === 'median' ? 'Medians' : 'Means'} of ${least === most ? least : `${least} to ${most}`} ${things} each`;
}

function spreadText(definition: FigureDefinition, marks: readonly Mark[]): string {
  const { spread, band = false } = definition;
  const mark = band ? 'bands' : 'bars with ends';
  if (spread === 'none' || marks.every(({ low }) => low === null)) return '';
  const [low] = spreadColumns(definition);
  if (low === 'p5') return `, ${mark}: 5th to 95th percentile`;
  const tooFew = marks.some((one) => one.low === null) ? ` (from ${fewestForInterval} values on)` : '';
  return `, ${mark}: 95 % interval of the median${tooFew}`;
}
