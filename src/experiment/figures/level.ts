/** Pure: a line across a figure for rows that have no place on its x axis. */
import { ascending, quantile } from '../statistics/quantile.ts';
import { axisOf, type FigureDefinition } from './definition.ts';
import { drawnValue, type Selection } from './rows.ts';
import { type DrawnAxis, isOn } from './scales.ts';
import { counted } from './words.ts';

/** Where it is in each panel, and what it stands for. Empty if no row of the level has a value. */
export function levelOf(
  { level, y: axis, panels, from = 'samples' }: FigureDefinition,
  selection: Selection,
  y: DrawnAxis,
) {
  const values = selection.level.flatMap((row) => drawnValue(row, axisOf(axis!)) ?? []);
  if (level === undefined || values.length === 0) return { rows: [], notes: [] };
  const median = quantile(ascending(values), 0.5);
  if (!isOn(median, y)) return { rows: [], notes: [`Not shown: ${level.label}, outside the axes.`] };
  const rows = (panels === undefined ? [''] : selection.panels).map((panel) => ({
    role: 'measured' as const,
    panel,
    series: level.label,
    x: null,
    x2: null,
    y: median,
    low: null,
    high: null,
    n: values.length,
    run: null,
    shape: 'rule' as const,
  }));
  const things = counted(values.length, from === 'samples' ? 'run' : from.slice(0, -1));
  return { rows, notes: [`The line across is the median of ${things}: ${level.label}.`] };
}
