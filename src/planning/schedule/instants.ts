import { crossesNetwork } from '../loss/flow-path.ts';
import type { FlowPath, Uncertainty } from '../loss/types.ts';
import { flowTiming } from '../loss/uncertainty.ts';
import { offsetMs, spanMs } from './offsets.ts';
import type { Schedule } from './types.ts';

/** The instant of a schedule's first action, in ms after T: a redirection, or the closing of a gate (then below 0). */
export function earliestActionMs(schedule: Schedule): number {
  const closings = [...schedule.gates.values()].map(({ closeBeforeMs }) => -closeBeforeMs);
  return Math.min(spanMs(schedule).firstMs, ...closings);
}

/**
 * How far in the future T must be, in ms: before the first action, the slowest gateway must have confirmed that it is
 * armed (`armingMs`: the round trip to each gateway), with time to disarm all gateways if one does not, and a margin.
 */
export function requiredLeadMs(
  schedule: Schedule,
  needs: { readonly armingMs: readonly number[]; readonly disarmMs: number; readonly marginMs: number },
): number {
  return Math.max(0, ...needs.armingMs) + needs.disarmMs + needs.marginMs - earliestActionMs(schedule);
}

/**
 * The instant, in ms after T, by which the last packet on the old path has arrived, whatever the timing. Until then
 * every gateway must accept the old path (under feasible or loose uRPF), and the old instance must stay up (in any
 * mode).
 */
export function acceptOldUntilMs(schedule: Schedule, flows: readonly FlowPath[], uncertainty: Uncertainty): number {
  const arrivals = flows
    .filter(crossesNetwork)
    .map(
      (flow) => offsetMs(schedule, flow.source, flow.destination) + flow.oldMs + flowTiming(flow, uncertainty).earlyMs,
    );
  return arrivals.reduce((last, ms) => Math.max(last, ms), Math.max(0, spanMs(schedule).lastMs));
}
