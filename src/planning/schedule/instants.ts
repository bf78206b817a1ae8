import { crossesNetwork } from '../loss/flow-path.ts';
import type { FlowPath, Uncertainty } from '../loss/types.ts';
import { flowTiming } from '../loss/uncertainty.ts';
import { allOffsetsMs, offsetMs } from './offsets.ts';
import type { Schedule } from './types.ts';

/** The first thing that a schedule does at any gateway, in ms after T: a redirection, or the closing of a gate (then below 0). */
export function earliestActionMs(schedule: Schedule): number {
  const closings = [...schedule.gates.values()].map(({ closeBeforeMs }) => -closeBeforeMs);
  return Math.min(...allOffsetsMs(schedule), ...closings);
}

/**
 * How far T must be from now, in ms: before the earliest action the slowest gateway must be armed and have confirmed it
 * (`armingMs`: round trip of each gateway), and there must be time to disarm all if one does not, and a margin.
 */
export function requiredLeadMs(
  schedule: Schedule,
  needs: { readonly armingMs: readonly number[]; readonly disarmMs: number; readonly marginMs: number },
): number {
  return Math.max(0, ...needs.armingMs) + needs.disarmMs + needs.marginMs - earliestActionMs(schedule);
}

/**
 * The instant in ms after T at which the last packet on the old path has arrived, whatever the timing does. Until then, under
 * feasible or loose uRPF, every gateway must accept the old path, and in any mode the old instance must stay up.
 */
export function acceptOldUntilMs(schedule: Schedule, flows: readonly FlowPath[], uncertainty: Uncertainty): number {
  const arrivals = flows
    .filter(crossesNetwork)
    .map(
      (flow) => offsetMs(schedule, flow.source, flow.destination) + flow.oldMs + flowTiming(flow, uncertainty).earlyMs,
    );
  return Math.max(0, ...allOffsetsMs(schedule), ...arrivals);
}
