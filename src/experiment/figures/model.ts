import { VnmError } from '../../model/errors.ts';
import { strictLossMs } from '../../planning/loss/strict.ts';
import { ascending, quantile } from '../statistics/quantile.ts';
import type { Row } from '../table.ts';
import { axisOf, type FigureDefinition } from './definition.ts';
import { factorOf, type Group, medianOf } from './rows.ts';
import { fromSymlog, onSymlog } from './scales.ts';

/** The loss model's curve in one panel. */
export interface Curve {
  readonly panel: string;
  /** Undefined if it is the curve of all series in the panel. */
  readonly series: string | undefined;
  readonly oldLatencyMs: number;
  readonly newLatencyMs: number;
  /** The measured latencies of the group differ, so that its points belong to several curves. */
  readonly isMixed: boolean;
  /** In the units drawn, x ascending. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** How many points a curve has where an axis is not linear; elsewhere its corners are enough. */
const pointsOnCurve = 240;

/**
 * The curve of docs/loss-model.md for each group, or one for all groups of a panel that have the same: what a flow
 * loses at a difference D of the two redirections, from `fromX` to `toX` in the unit drawn. Latencies are those of the
 * definition, else the medians of the measured ones; rate and number of packets are medians. Groups whose latencies are
 * unknown have no curve. Throws VnmError `invalid-input` if a group contains several uRPF modes.
 */
export function modelCurves(
  definition: FigureDefinition,
  groups: readonly Group[],
  fromX: number,
  toX: number,
): Curve[] {
  if (definition.model === undefined) return [];
  const inPanels = [...Map.groupBy(groups, ({ panel }) => panel).values()];
  return inPanels.flatMap((inPanel) => {
    const all = { panel: inPanel[0]!.panel, series: undefined, rows: inPanel.flatMap(({ rows }) => rows) };
    const isShared = modesOf(all.rows).length === 1 && isOfOneCurve(definition, all.rows);
    return (isShared ? [all] : inPanel).flatMap((group) => curveOf(definition, group, fromX, toX) ?? []);
  });
}

/** What a curve is made from. */
type Source = Pick<Group, 'panel' | 'rows'> & { readonly series: string | undefined };

function curveOf(definition: FigureDefinition, group: Source, fromX: number, toX: number): Curve | undefined {
  const { panel, series, rows } = group;
  const oldMs = definition.model!.oldLatencyMs ?? medianOf(rows, 'old_latency_ms');
  const newMs = definition.model!.newLatencyMs ?? medianOf(rows, 'new_latency_ms');
  const y = axisOf(definition.y!);
  const perMs = lossPerMs(rows, y.column);
  if (oldMs === undefined || newMs === undefined || perMs === undefined) return undefined;
  const isStrict = urpfOf(definition, group) === 'strict';
  const x = axisOf(definition.x);
  const toDrawnX = factorOf(x.column, x.unit);
  const toDrawnY = perMs * factorOf(y.column, y.unit);
  const lossAt = (drawnX: number) =>
    isStrict ? toDrawnY * strictLossMs({ oldMs, newMs, differenceMs: drawnX / toDrawnX }) : 0;

  const corners = [oldMs, newMs].map((value) => value * toDrawnX).filter((value) => value > fromX && value < toX);
  const isLinear = [x.scale, y.scale].every((scale) => (scale ?? 'linear') === 'linear');
  const places = isLinear ? [fromX, toX] : between(fromX, toX, x.scale);
  const points = [...new Set([...places, ...corners])]
    .toSorted((a, b) => a - b)
    .map((value) => ({ x: value, y: lossAt(value) }));
  const isMixed = latencyColumns(definition).some((column) => differ(rows, column));
  return { panel, series, oldLatencyMs: oldMs, newLatencyMs: newMs, isMixed, points };
}

/** Whether all rows have nearly the same of what their curve depends on. */
function isOfOneCurve(definition: FigureDefinition, rows: readonly Row[]): boolean {
  const ofLoss: Readonly<Record<string, readonly string[]>> = {
    lost_packets: ['rate_bps', 'payload_bytes'],
    lost_percent: ['rate_bps', 'payload_bytes', 'sent_packets'],
  };
  const columns = [...latencyColumns(definition), ...(ofLoss[axisOf(definition.y!).column] ?? [])];
  return !columns.some((column) => differ(rows, column));
}

/** The measured latencies that a curve depends on: those that the definition does not give. */
function latencyColumns({ model }: FigureDefinition): string[] {
  return [
    ...(model?.oldLatencyMs === undefined ? ['old_latency_ms'] : []),
    ...(model?.newLatencyMs === undefined ? ['new_latency_ms'] : []),
  ];
}

/** Whether values differ by more than measuring explains: a tenth and 2. */
function differ(rows: readonly Row[], column: string): boolean {
  const values = ascending(rows.map((row) => row[column]).filter((value) => typeof value === 'number'));
  const spread = quantile(values, 0.95) - quantile(values, 0.05);
  return spread > 2 && spread > 0.1 * Math.abs(quantile(values, 0.5));
}

/** What one lost ms of a flow is in the unit of a column. */
function lossPerMs(rows: readonly Row[], column: string): number | undefined {
  if (column === 'lost_ms') return 1;
  const [rateBps, payloadBytes] = [medianOf(rows, 'rate_bps'), medianOf(rows, 'payload_bytes')];
  if (rateBps === undefined || payloadBytes === undefined) return undefined;
  const packetsPerMs = rateBps / (8 * payloadBytes) / 1000;
  if (column === 'lost_packets') return packetsPerMs;
  const sent = medianOf(rows, 'sent_packets');
  return sent === undefined || sent === 0 ? undefined : (100 * packetsPerMs) / sent;
}

function modesOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.map(({ urpf }) => String(urpf ?? 'strict')))];
}

/** The uRPF mode of all rows of a group; strict if the table does not say. */
function urpfOf({ name }: FigureDefinition, { rows }: Source): string {
  const modes = modesOf(rows);
  if (modes.length > 1) {
    throw new VnmError(
      'invalid-input',
      `figure '${name}': a series with uRPF modes ${modes.join(' and ')} has no single curve of the loss model`,
      { hint: "add 'urpf' to 'by', 'panels' or 'where'" },
    );
  }
  return modes[0] ?? 'strict';
}

/** Values from one end to the other, evenly spaced as the scale draws them. */
function between(from: number, to: number, scale: string | undefined): number[] {
  const [there, back] =
    scale === 'log'
      ? [Math.log, Math.exp]
      : scale === 'symlog'
        ? [onSymlog, fromSymlog]
        : [(value: number) => value, (value: number) => value];
  const [start, end] = [there(from), there(to)];
  return Array.from({ length: pointsOnCurve + 1 }, (_, index) =>
    index === 0 ? from : index === pointsOnCurve ? to : back(start + (index / pointsOnCurve) * (end - start)),
  );
}
