import { VnmError } from '../../model/errors.ts';
import { strictLossMs } from '../../planning/loss/strict.ts';
import type { Row } from '../table.ts';
import { axisOf, type FigureDefinition } from './definition.ts';
import { factorOf, type Group, medianOf } from './rows.ts';
import { fromSymlog, onSymlog } from './scales.ts';

/** The loss model's curve for one series in one panel. */
export interface Curve {
  readonly panel: string;
  readonly series: string;
  readonly oldLatencyMs: number;
  readonly newLatencyMs: number;
  /** In the units drawn, x ascending. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** How many points a curve has where an axis is not linear; elsewhere its corners are enough. */
const pointsOnCurve = 240;

/**
 * The curve of docs/loss-model.md for each group: what a flow loses at a difference D of the two redirections, from
 * `fromX` to `toX` in the unit drawn. Latencies are those of the definition, else the medians of the measured ones; rate
 * and number of packets are medians. Groups whose latencies are unknown have no curve. Throws VnmError `invalid-input`
 * if a group contains several uRPF modes.
 */
export function modelCurves(
  definition: FigureDefinition,
  groups: readonly Group[],
  fromX: number,
  toX: number,
): Curve[] {
  if (definition.model === undefined) return [];
  return groups.flatMap((group) => curveOf(definition, group, fromX, toX) ?? []);
}

function curveOf(definition: FigureDefinition, group: Group, fromX: number, toX: number): Curve | undefined {
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
  return { panel, series, oldLatencyMs: oldMs, newLatencyMs: newMs, points };
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

/** The uRPF mode of all rows of a group; strict if the table does not say. */
function urpfOf({ name }: FigureDefinition, { rows }: Group): string {
  const modes = [...new Set(rows.map(({ urpf }) => String(urpf ?? 'strict')))];
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
