/**
 * The schema of an experiment file's `figures:`. Titles and descriptions appear in the JSON Schema, for editors, and in
 * messages.
 */
import * as z from 'zod';
import { conversion, unitNames, unitOf } from './units.ts';

const column = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/)
  .meta({ title: 'column name', description: 'a column of the table, like lost_percent' });
const text = z.string().min(1);
const finite = z.number();

const axis = z.strictObject({
  column,
  label: text
    .describe('what the axis shows, without the unit; from the name of the column if left out')
    .exactOptional(),
  unit: z.enum(unitNames).describe('the unit to draw in; that of the column if left out').exactOptional(),
  scale: z
    .enum(['linear', 'log', 'symlog'])
    .describe(
      'linear (if left out), log, or symlog: linear around 0 and logarithmic on both sides of it, for values of very different sizes that may be 0 or negative',
    )
    .exactOptional(),
  min: finite.describe('where the axis begins, in the unit drawn').exactOptional(),
  max: finite.describe('where the axis ends, in the unit drawn').exactOptional(),
});

const axisOrColumn = z
  .union([column, axis])
  .describe('COLUMN, or { column: COLUMN, label: TEXT, unit: s, scale: log, min: 0, max: 10 }');

const range = z.tuple([finite, finite]).describe('[from, to], in the unit of the axis');

const paperValue = z
  .strictObject({
    label: text.describe('names it in the figure, where it is marked as the value of a paper'),
    x: z
      .union([finite, range, text])
      .describe('a place on the x axis: a number, [from, to], or a category of bars')
      .exactOptional(),
    y: z.union([finite, range]).describe('a place on the y axis: a number, or [from, to]').exactOptional(),
    line: z
      .array(z.tuple([finite, finite]))
      .min(2)
      .describe('[[x, y], ...]: points joined by a line')
      .exactOptional(),
    panel: z.union([text, finite]).describe('the panel where it is drawn; all panels if left out').exactOptional(),
  })
  .describe(
    'a value that a paper reports: { label: TEXT, x: 89, y: 0.009 } is a point, with only x or y a line across the figure or, with [from, to], a range; { label: TEXT, line: [[1, 2], [10, 3]] } a line',
  );

const model = z
  .strictObject({
    kind: z.enum(['loss']).describe('the loss model'),
    oldLatencyMs: finite
      .describe('one-way latency on the old instance in ms; the median of the measured ones if left out')
      .exactOptional(),
    newLatencyMs: finite
      .describe('one-way latency on the new instance in ms; the median of the measured ones if left out')
      .exactOptional(),
  })
  .describe(
    'the curve of the loss model, one per series: { kind: loss }; from flows, x is d_real_ms or d_planned_ms, y is lost_ms, lost_packets or lost_percent',
  );

const value = z.union([z.string(), finite]);
const conditions = z.record(column, z.union([value, z.array(value).min(1)]));

const level = z
  .strictObject({
    label: text.describe('names it in the figure'),
    where: conditions.describe('which rows: { method: vroom }'),
  })
  .describe(
    'rows that have no x: a line across the figure at the median of their y: { label: TEXT, where: { method: vroom } }',
  );

/** The columns that a curve of the loss model can have as x and y. */
const modelAxes = { x: ['d_real_ms', 'd_planned_ms'], y: ['lost_ms', 'lost_packets', 'lost_percent'] } as const;

/** One entry of `figures:`. */
export const figureDefinition = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*$/)
      .max(60)
      .meta({
        title: 'figure name',
        description: 'the name of its files: lower-case letters, digits and hyphens, up to 60',
      }),
    title: text.describe('the heading of the figure'),
    caption: text.describe('what the figure shows and how to read it, for the page with all figures').exactOptional(),
    kind: z
      .enum(['scatter', 'line', 'bars', 'cdf'])
      .describe(
        'scatter: a point per row; line: medians at each x, joined, unless the model is drawn; bars: a median per category; cdf: the share of rows with at most x',
      ),
    from: z
      .enum(['samples', 'flows', 'redirections', 'phases'])
      .describe('the table: one row per run (samples, if left out), per flow, per redirection, or per phase of a run')
      .exactOptional(),
    x: axisOrColumn,
    y: axisOrColumn.exactOptional(),
    by: z
      .union([column, z.array(column).min(1).max(3)])
      .describe('one series per value of this column, or of these up to 3 columns')
      .exactOptional(),
    panels: column.describe('one panel per value of this column').exactOptional(),
    where: conditions
      .describe('only rows with these values: { control: gateway, urpf: [strict, loose] }')
      .exactOptional(),
    labels: z
      .record(z.string(), text)
      .describe(
        'texts for values of by, panels and categories, in the order to show: { remote: over SSH, gateway: armed }',
      )
      .exactOptional(),
    statistic: z
      .enum(['median', 'mean'])
      .describe('line and bars: median (if left out) or mean, for papers that report means')
      .exactOptional(),
    spread: z
      .enum(['interval', 'range', 'none'])
      .describe(
        'line and bars: the 95 % interval of the median, the range from the 5th to the 95th percentile, or none; if left out, the interval with medians and the range with means',
      )
      .exactOptional(),
    band: z.boolean().describe('line: draw the spread as a band instead of bars').exactOptional(),
    model: model.exactOptional(),
    level: level.exactOptional(),
    paper: z.array(paperValue).min(1).describe('what papers report, drawn and marked as theirs').exactOptional(),
  })
  .superRefine((figure, context) => {
    for (const { path, message, hint } of faultsOf(figure)) {
      context.addIssue({ code: 'custom', path, message, params: { hint } });
    }
  })
  .describe('a figure: { name: NAME, title: TEXT, kind: scatter, from: flows, x: d_real_ms, y: lost_percent }');

/** The value of `figures:`. */
export const figureDefinitions = z
  .array(figureDefinition)
  .superRefine((figures, context) => {
    for (const [index, { name }] of figures.entries()) {
      if (figures.findIndex((other) => other.name === name) < index) {
        context.addIssue({
          code: 'custom',
          path: [index, 'name'],
          message: `the name '${name}' is used twice`,
          params: { hint: 'give each figure a name of its own, since its files have this name' },
        });
      }
    }
  })
  .describe('the figures to draw');

export type FigureDefinition = z.output<typeof figureDefinition>;
export type Axis = z.output<typeof axis>;
export type PaperValue = z.output<typeof paperValue>;

/** The axis of a definition that may name only its column. */
export function axisOf(given: string | Axis): Axis {
  return typeof given === 'string' ? { column: given } : given;
}

interface Fault {
  readonly path: (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** The keys that only some kinds have. */
const ofKinds: Partial<Record<keyof FigureDefinition, readonly FigureDefinition['kind'][]>> = {
  y: ['scatter', 'line', 'bars'],
  statistic: ['line', 'bars'],
  spread: ['line', 'bars'],
  band: ['line'],
  model: ['scatter', 'line'],
  level: ['scatter', 'line'],
};

function faultsOf(figure: FigureDefinition): Fault[] {
  return [...faultsOfKeys(figure), ...faultsOfAxes(figure), ...faultsOfModel(figure), ...faultsOfPaper(figure)];
}

function faultsOfKeys(figure: FigureDefinition): Fault[] {
  const { kind, y, statistic = 'median', spread } = figure;
  const faults: Fault[] = [];
  for (const [key, kinds] of Object.entries(ofKinds)) {
    if (Object.hasOwn(figure, key) && !kinds.includes(kind)) {
      faults.push({ path: [key], message: `a figure of kind ${kind} has no '${key}'`, hint: `remove '${key}'` });
    }
  }
  if (y === undefined && kind !== 'cdf') {
    faults.push({ path: [], message: `a figure of kind ${kind} needs 'y'`, hint: "add 'y: COLUMN'" });
  }
  if (statistic === 'mean' && spread === 'interval') {
    faults.push({
      path: ['spread'],
      message: 'the interval is that of the median, not of the mean',
      hint: "use 'spread: range' or 'spread: none' with 'statistic: mean'",
    });
  }
  return faults;
}

function faultsOfAxes({ kind, x, y }: FigureDefinition): Fault[] {
  const faults: Fault[] = [];
  for (const [key, given] of [['x', x] as const, ['y', y] as const]) {
    if (given === undefined) continue;
    const { column: name, unit, scale, min, max } = axisOf(given);
    const own = unitOf(name);
    if (unit !== undefined && (own === undefined || conversion(own, unit) === undefined)) {
      faults.push({
        path: [key, 'unit'],
        message: `'${name}' cannot be drawn in ${unit}`,
        hint:
          own === undefined ? 'the column has no unit: leave it out, and name one in the label' : `its unit is ${own}`,
      });
    }
    if (scale === 'log' && [min, max].some((end) => end !== undefined && end <= 0)) {
      faults.push({ path: [key], message: 'a log axis has only numbers above 0', hint: "use 'scale: symlog'" });
    }
    if (min !== undefined && max !== undefined && min >= max) {
      faults.push({ path: [key, 'max'], message: `max (${max}) is not above min (${min})`, hint: 'swap them' });
    }
    if (key === 'x' && kind === 'bars' && (scale ?? min ?? max) !== undefined) {
      faults.push({ path: [key], message: 'the x axis of bars has categories', hint: 'remove scale, min and max' });
    }
  }
  return faults;
}

function faultsOfModel({ model: given, from = 'samples', x, y }: FigureDefinition): Fault[] {
  if (given === undefined || y === undefined) return [];
  const isKnown =
    from === 'flows' &&
    modelAxes.x.some((name) => name === axisOf(x).column) &&
    modelAxes.y.some((name) => name === axisOf(y).column);
  if (isKnown) return [];
  return [
    {
      path: ['model'],
      message: 'the loss model says what a flow loses at a difference D of two redirections',
      hint: `use 'from: flows', x of ${modelAxes.x.join(' or ')}, and y of ${modelAxes.y.join(', ')}`,
    },
  ];
}

function faultsOfPaper({ kind, paper = [], panels }: FigureDefinition): Fault[] {
  return paper.flatMap(({ x, y, line, panel }, index) => {
    const at = (message: string, hint: string) => [{ path: ['paper', index], message, hint }];
    if ((line === undefined) === (x === undefined && y === undefined)) {
      return at("expected either 'line', or 'x' and 'y' or one of them", 'write { label: TEXT, x: 89, y: 0.009 }');
    }
    if (x !== undefined && y !== undefined && (Array.isArray(x) || Array.isArray(y))) {
      return at(
        'a range has only x or only y',
        'write { label: TEXT, x: [FROM, TO] } or { label: TEXT, y: [FROM, TO] }',
      );
    }
    if (typeof x === 'string' && kind !== 'bars') return at('only bars have categories', 'write a number as x');
    if (kind === 'bars' && (line !== undefined || (x !== undefined && typeof x !== 'string'))) {
      return at('bars have categories on the x axis', 'write { label: TEXT, x: CATEGORY, y: NUMBER }');
    }
    if (panel !== undefined && panels === undefined) {
      return at('the figure has no panels', "remove 'panel', or add 'panels: COLUMN'");
    }
    return [];
  });
}
