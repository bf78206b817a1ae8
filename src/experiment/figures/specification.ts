/** Pure: a figure's content as a specification for Vega-Lite. */
import type { TopLevelSpec } from 'vega-lite';
import type { FigureContent } from './content.ts';
import type { FigureRow } from './figure-row.ts';
import { textWidth, wrapped } from './font.ts';
import { type Look, legendOf, looksOf } from './legend.ts';
import { domainOf, ticksOf } from './scales.ts';
import { colours, config, paperDash, textSize } from './theme.ts';

/** The whole width of the plots, in units of the SVG. */
const width = 680;
const heights = { one: 360, several: 250 };
const gap = 24;

type Spec = Record<string, unknown>;

export function specificationOf(content: FigureContent): TopLevelSpec {
  const { definition, panels, rows, notes } = content;
  const { columns, ...size } = sizeOf(panels);
  const looks = looksOf(content);
  const spec = { ...size, layer: layersOf(content, looks) };
  const facet = { field: 'panel', type: 'nominal', sort: panels, header: { title: null } };
  const plot = panels.length === 0 ? spec : { facet, columns, spacing: gap, spec };
  const subtitle = notes.flatMap((note) => wrapped(note, 'normal', textSize, width));
  return {
    data: { values: rows as unknown as Spec[] },
    title: { text: wrapped(definition.title, 'bold', config.title.fontSize, width), subtitle },
    config,
    spacing: 12,
    vconcat: looks.length > 1 ? [legendOf(looks, width), plot] : [plot],
  } as unknown as TopLevelSpec;
}

/** The size of a panel, and how many stand next to each other. */
function sizeOf(panels: FigureContent['panels']): { columns: number; width: number; height: number } {
  const columns = Math.min(3, Math.max(1, panels.length));
  return {
    columns,
    width: Math.round((width - gap * (columns - 1)) / columns),
    height: columns === 1 ? heights.one : heights.several,
  };
}

/** What all layers share. */
interface Frame {
  readonly content: FigureContent;
  readonly x: Spec;
  readonly y: Spec;
  readonly colour: Spec;
  readonly shape: Spec;
  readonly dash: Spec;
  /** Bars of several series stand next to each other. */
  readonly offset: Spec;
  /** Whether the definition says where an axis begins or ends, so that marks may lie outside. */
  readonly clip: boolean;
}

function layersOf(content: FigureContent, looks: readonly Look[]): Spec[] {
  const { definition, y } = content;
  const names = looks.filter(({ name }) => content.rows.some((row) => row.series === name && row.shape === 'bar'));
  const offset = {
    field: 'series',
    type: 'nominal',
    scale: { domain: names.map(({ name }) => name), paddingInner: 0.1 },
  };
  const frame: Frame = {
    content,
    x: definition.kind === 'bars' ? categorical(content) : quantitative('x', content),
    y: quantitative('y', content),
    colour: byLook(looks, 'colour'),
    shape: byLook(looks, 'shape'),
    dash: byLook(looks, 'dash'),
    offset: definition.kind === 'bars' ? { xOffset: offset } : {},
    clip: [definition.x, definition.y].some((axis) => typeof axis === 'object' && (axis.min ?? axis.max) !== undefined),
  };
  const measured = {
    scatter: [points(frame)],
    line: [definition.band ? band(frame) : spread(frame), ...joined(frame), points(frame)],
    bars:
      y.scale === 'log'
        ? [spread(frame), dots(frame), ...values(frame)]
        : [bars(frame), spread(frame), ...values(frame)],
    cdf: [steps(frame)],
  }[definition.kind];
  return [...paperRanges(frame), ...measured, ...levels(frame), ...curves(frame), ...papers(frame)];
}

// Axes and scales

function categorical({ x, categories, panels }: FigureContent): Spec {
  const room = sizeOf(panels).width / categories.length - 8;
  const isTooWide = categories.some((category) => textWidth(category, 'normal', textSize) > room);
  const labels = isTooWide ? { labelAngle: -35, labelAlign: 'right', labelLimit: 200 } : { labelAngle: 0 };
  const axis = { title: x.title, grid: false, ticks: false, ...labels };
  const paddingInner = categories.length < 3 ? 0.6 : 0.25;
  return {
    field: 'x',
    type: 'nominal',
    sort: categories,
    axis,
    scale: { paddingInner, paddingOuter: paddingInner / 2 },
  };
}

/** A thousand as 1k. */
const shortNumber = "abs(datum.value) >= 1000 ? format(datum.value / 1000, '~r') + 'k' : format(datum.value, '~r')";

function quantitative(field: 'x' | 'y', { definition, panels, rows, [field]: axis }: FigureContent): Spec {
  const all = rows.flatMap((row) => (field === 'x' ? [row.x, row.x2] : [row.y, row.low, row.high]));
  const numbers = all.filter((value) => typeof value === 'number');
  const isFromZero = definition.kind === 'bars' || (field === 'y' && numbers.every((value) => value >= 0));
  const domain = domainOf(axis, numbers, isFromZero);
  const isNarrow = field === 'x' && panels.length > 1;
  const ticks =
    axis.scale === 'linear'
      ? { tickCount: isNarrow ? 5 : 7, ...(numbers.every(Number.isInteger) && { tickMinStep: 1 }) }
      : {
          values: ticksOf(axis.scale, domain, isNarrow),
          ...(isNarrow ? { labelExpr: shortNumber } : { format: ',~r' }),
          labelOverlap: 'greedy',
          labelSeparation: 6,
        };
  return {
    field,
    type: 'quantitative',
    axis: { title: axis.title, grid: true, labelFlush: false, ...ticks },
    scale: {
      type: axis.scale,
      domain,
      zero: false,
      nice: axis.scale === 'linear' && field === 'y' && axis.min === undefined && axis.max === undefined,
      ...(axis.scale === 'symlog' && { constant: 1 }),
    },
  };
}

function byLook(looks: readonly Look[], property: 'colour' | 'shape' | 'dash'): Spec {
  const scale = { domain: looks.map(({ name }) => name), range: looks.map((look) => look[property]) };
  return { field: 'series', type: 'nominal', sort: null, scale, legend: null };
}

// Layers

/** The rows of a role that are drawn as one of these shapes. */
function only(role: FigureRow['role'], ...shapes: FigureRow['shape'][]): Spec {
  return {
    filter: {
      and: [
        { field: 'role', equal: role },
        { field: 'shape', oneOf: shapes },
      ],
    },
  };
}

function has({ content }: Frame, role: FigureRow['role'], ...shapes: FigureRow['shape'][]): boolean {
  return content.rows.some((row) => row.role === role && shapes.includes(row.shape));
}

const withSpread = { filter: { field: 'low', valid: true } };

function points({ content, x, y, colour, shape, clip }: Frame): Spec {
  const look = content.definition.kind === 'scatter' ? { size: 46, opacity: 0.65 } : { size: 60, opacity: 1 };
  return {
    transform: [only('measured', 'point', 'line')],
    mark: { type: 'point', filled: true, ...look, clip },
    encoding: { x, y, color: colour, shape },
  };
}

/** Medians are joined, unless the model's curve does that. */
function joined(frame: Frame): Spec[] {
  const { x, y, colour, dash, clip } = frame;
  if (has(frame, 'model', 'line')) return [];
  return [
    {
      transform: [only('measured', 'line')],
      mark: { type: 'line', strokeWidth: 2, clip },
      encoding: { x, y, color: colour, strokeDash: dash, order: { field: 'x' } },
    },
  ];
}

function steps({ x, y, colour, dash, clip }: Frame): Spec {
  return {
    transform: [only('measured', 'line')],
    mark: { type: 'line', interpolate: 'step-after', strokeWidth: 2, clip },
    encoding: { x, y, color: colour, strokeDash: dash, order: { field: 'y' } },
  };
}

function spread({ content, x, y, colour, offset, clip }: Frame): Spec {
  const color = content.definition.kind === 'bars' ? { value: colours.ink } : colour;
  return {
    transform: [only('measured', 'line', 'bar'), withSpread],
    mark: { type: 'errorbar', ticks: { size: 8, strokeWidth: 1.5 }, rule: { strokeWidth: 1.5 }, clip },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, ...offset, color },
  };
}

function band({ x, y, colour, clip }: Frame): Spec {
  return {
    transform: [only('measured', 'line'), withSpread],
    mark: { type: 'area', opacity: 0.2, clip },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: colour },
  };
}

function bars({ x, y, colour, offset, clip }: Frame): Spec {
  return {
    transform: [only('measured', 'bar')],
    mark: { type: 'bar', clip },
    encoding: { x, y, ...offset, color: colour },
  };
}

/** For bars on a logarithmic axis, where a bar has no beginning. */
function dots({ x, y, colour, shape, offset, clip }: Frame): Spec {
  return {
    transform: [only('measured', 'bar')],
    mark: { type: 'point', filled: true, size: 90, opacity: 1, clip },
    encoding: { x, y, ...offset, color: colour, shape },
  };
}

/** The width of a bar whose number does not touch that of the next one. */
const leastForNumber = 32;

/** The number over each bar, or under a negative one, so that a small bar can be read; none where there is no room. */
function values({ content, x, y, offset }: Frame): Spec[] {
  const { categories, panels, rows } = content;
  const series = new Set(rows.filter(({ shape }) => shape === 'bar').map((row) => row.series)).size;
  if (sizeOf(panels).width / categories.length / series < leastForNumber) return [];
  const distance = content.y.scale === 'log' ? 13 : 9;
  const isShort = 'abs(datum.y) >= 0.01 || datum.y == 0';
  const layer = (condition: string, end: string, dy: number) => ({
    transform: [
      { filter: { field: 'shape', equal: 'bar' } },
      { filter: condition },
      { calculate: end, as: 'end' },
      { calculate: `format(datum.y, ${isShort} ? '.3~r' : '.1~e')`, as: 'text' },
    ],
    mark: { type: 'text', dy, fontSize: 12, color: colours.ink },
    encoding: { x, y: { ...y, field: 'end' }, ...offset, text: { field: 'text' } },
  });
  return [
    layer('datum.y >= 0', 'isValid(datum.high) ? max(datum.high, datum.y) : datum.y', -distance),
    ...(content.rows.some((row) => row.shape === 'bar' && row.y !== null && row.y < 0)
      ? [layer('datum.y < 0', 'isValid(datum.low) ? min(datum.low, datum.y) : datum.y', distance)]
      : []),
  ];
}

function levels(frame: Frame): Spec[] {
  const { y, colour, dash, clip } = frame;
  if (!has(frame, 'measured', 'rule')) return [];
  return [
    {
      transform: [only('measured', 'rule')],
      mark: { type: 'rule', strokeWidth: 2.5, clip },
      encoding: { y, color: colour, strokeDash: dash },
    },
  ];
}

function curves(frame: Frame): Spec[] {
  const { x, y, colour, dash, clip } = frame;
  if (!has(frame, 'model', 'line')) return [];
  return [
    {
      transform: [only('model', 'line')],
      mark: { type: 'line', strokeWidth: 2, clip },
      encoding: { x, y, color: colour, strokeDash: dash, order: { field: 'x' } },
    },
  ];
}

/** Behind everything else. */
function paperRanges(frame: Frame): Spec[] {
  const { x, y, clip } = frame;
  const mark = { type: 'rect', color: colours.paper, opacity: 0.12, clip };
  const range = only('paper', 'range');
  const ends = (field: string) => ({ filter: { field, valid: true } });
  return [
    ...(hasRange(frame, 'x2') ? [{ transform: [range, ends('x2')], mark, encoding: { x, x2: { field: 'x2' } } }] : []),
    ...(hasRange(frame, 'high')
      ? [{ transform: [range, ends('high')], mark, encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } } }]
      : []),
  ];
}

function hasRange({ content }: Frame, end: 'x2' | 'high'): boolean {
  return content.rows.some((row) => row.shape === 'range' && row[end] !== null);
}

/** What papers report, over everything else. */
function papers(frame: Frame): Spec[] {
  const { content, x, y, colour, shape, dash, offset, clip } = frame;
  const layers: Spec[] = [];
  if (has(frame, 'paper', 'rule')) {
    for (const [field, encoding] of [['x', { x }] as const, ['y', { y }] as const]) {
      layers.push({
        transform: [only('paper', 'rule'), { filter: { field, valid: true } }],
        mark: { type: 'rule', strokeWidth: 1.5, clip },
        encoding: { ...encoding, color: colour, strokeDash: dash },
      });
    }
  }
  if (has(frame, 'paper', 'line')) {
    layers.push({
      transform: [only('paper', 'line')],
      mark: { type: 'line', strokeWidth: 1.5, clip },
      encoding: { x, y, color: colour, strokeDash: dash, order: { field: 'x' } },
    });
  }
  const isBar = has(frame, 'paper', 'bar') && content.y.scale !== 'log';
  if (isBar) {
    layers.push({
      transform: [only('paper', 'bar')],
      mark: { type: 'bar', fillOpacity: 0.08, strokeDash: paperDash, strokeWidth: 1.5, stroke: colours.paper, clip },
      encoding: { x, y, ...offset, color: colour },
    });
  }
  if (has(frame, 'paper', 'point', 'line') || (has(frame, 'paper', 'bar') && !isBar)) {
    layers.push({
      transform: [only('paper', 'point', 'line', ...(isBar ? [] : (['bar'] as const)))],
      mark: { type: 'point', filled: false, size: 80, strokeWidth: 2, opacity: 1, clip },
      encoding: { x, y, ...offset, color: colour, shape },
    });
  }
  return layers;
}
