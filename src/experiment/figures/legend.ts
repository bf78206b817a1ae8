/** Pure: how each series looks, and the legend that shows it. */
import type { FigureContent } from './content.ts';
import type { FigureRow } from './figure-row.ts';
import { textWidth } from './font.ts';
import { colourOf, colours, dashOf, modelDash, paperDash, paperShapeOf, shapeOf, textSize } from './theme.ts';

type Spec = Record<string, unknown>;

/** How the marks of a series look. */
export interface Look {
  readonly name: string;
  readonly colour: string;
  readonly shape: string;
  readonly dash: readonly number[];
  /** What the legend shows of it. */
  readonly line: boolean;
  readonly point: 'filled' | 'hollow' | undefined;
  readonly patch: 'filled' | 'hollow' | 'faint' | undefined;
}

/** The looks of all series, in the order of the legend. */
export function looksOf({ series, definition, rows, y }: FigureContent): Look[] {
  const namesOf = (role: FigureRow['role']) => series.filter((one) => one.role === role).map(({ name }) => name);
  const measured = namesOf('measured');
  const models = namesOf('model');
  const papers = namesOf('paper');
  const { kind } = definition;
  const isBar = kind === 'bars' && y.scale !== 'log';
  return series.map(({ name, role }): Look => {
    const drawn = new Set(rows.filter((row) => row.role === role && row.series === name).map(({ shape }) => shape));
    if (role === 'measured') {
      const index = measured.indexOf(name);
      const isLevel = drawn.has('rule');
      return {
        name,
        colour: colourOf(index),
        shape: shapeOf(index),
        dash: dashOf(index),
        line: (kind === 'line' && models.length === 0) || kind === 'cdf' || isLevel,
        point: kind === 'cdf' || isBar || isLevel ? undefined : 'filled',
        patch: isBar ? 'filled' : undefined,
      };
    }
    if (role === 'model') {
      const ofSeries = measured.findIndex((other) => name.endsWith(`, ${other}`));
      const colour = models.length === 1 || ofSeries < 0 ? colours.ink : colourOf(ofSeries);
      return { name, colour, shape: 'circle', dash: modelDash, line: true, point: undefined, patch: undefined };
    }
    const isPaperBar = drawn.has('bar') && isBar;
    return {
      name,
      colour: colours.paper,
      shape: paperShapeOf(papers.indexOf(name)),
      dash: paperDash,
      line: drawn.has('line') || drawn.has('rule'),
      point: drawn.has('point') || drawn.has('line') || (drawn.has('bar') && !isBar) ? 'hollow' : undefined,
      patch: isPaperBar ? 'hollow' : drawn.has('range') ? 'faint' : undefined,
    };
  });
}

const lineWidth = 30;
const symbolWidth = 14;
const afterSymbol = 8;
const betweenEntries = 26;
const rowHeight = 23;

/**
 * The legend as a chart without axes, above the plots. It is not Vega's, whose symbols cannot show a dashed line with
 * points, and which arranges entries in columns.
 */
export function legendOf(looks: readonly Look[], width: number): Spec {
  let [x, row] = [0, 0];
  const entries = looks.map((look) => {
    const symbol = look.line ? lineWidth : symbolWidth;
    const length = symbol + afterSymbol + textWidth(look.name, 'normal', textSize);
    if (x > 0 && x + length > width) [x, row] = [0, row + 1];
    const entry = { ...look, from: x, to: x + symbol, middle: x + symbol / 2, row: row * rowHeight + 10 };
    x += length + betweenEntries;
    return { ...entry, text: entry.to + afterSymbol };
  });
  const height = (row + 1) * rowHeight;
  const at = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: [0, width], nice: false },
    axis: null,
  });
  const y = { field: 'row', type: 'quantitative', scale: { domain: [height, 0], nice: false }, axis: null };
  const literally = (field: string) => ({ field, type: 'nominal', scale: null, legend: null });
  const of = (isOne: (look: Look) => boolean) => ({ data: { values: entries.filter(isOne) } });
  const patch = { type: 'point', shape: 'square', size: 190 };
  return {
    width,
    height,
    layer: [
      {
        ...of(({ line }) => line),
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: { x: at('from'), x2: { field: 'to' }, y, color: literally('colour'), strokeDash: literally('dash') },
      },
      ...(['filled', 'hollow'] as const).map((filling) => ({
        ...of(({ point }) => point === filling),
        mark: { type: 'point', size: 75, opacity: 1, filled: filling === 'filled', strokeWidth: 2 },
        encoding: { x: at('middle'), y, color: literally('colour'), shape: literally('shape') },
      })),
      {
        ...of((look) => look.patch === 'filled'),
        mark: { ...patch, filled: true, opacity: 1 },
        encoding: { x: at('middle'), y, color: literally('colour') },
      },
      {
        ...of((look) => look.patch === 'hollow'),
        mark: { ...patch, filled: false, strokeDash: paperDash, strokeWidth: 1.5, opacity: 1 },
        encoding: { x: at('middle'), y, color: literally('colour') },
      },
      {
        ...of((look) => look.patch === 'faint'),
        mark: { ...patch, filled: true, opacity: 0.15 },
        encoding: { x: at('middle'), y, color: literally('colour') },
      },
      {
        ...of(() => true),
        mark: { type: 'text', align: 'left', baseline: 'middle', fontSize: textSize, color: colours.ink },
        encoding: { x: at('text'), y, text: { field: 'name' } },
      },
    ],
  };
}
