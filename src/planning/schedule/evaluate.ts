import type { UrpfMode } from '../../model/route.ts';
import { overtakenMs } from '../loss/feasible.ts';
import { atWorst, crossesNetwork } from '../loss/flow-path.ts';
import { safeWindow, strictLossMs } from '../loss/strict.ts';
import type { FlowPath, Uncertainty } from '../loss/types.ts';
import { flowTiming, timingOf } from '../loss/uncertainty.ts';
import { gateDelayMs } from './gates.ts';
import { checkAllowed } from './make.ts';
import { offsetMs } from './offsets.ts';
import type { Schedule } from './types.ts';

/** What a schedule does to one flow. */
export interface FlowOutcome {
  readonly flow: FlowPath;
  /** The lost time with every gateway exactly on time. */
  readonly lostMs: number;
  readonly lostPackets: number;
  /** The worst that the timing uncertainty allows. */
  readonly worstLostMs: number;
  readonly worstLostPackets: number;
  /** Packets that arrive behind a later one. */
  readonly reorderedPackets: number;
  /** The longest delay that a gate adds to a packet, once. */
  readonly addedDelayMs: number;
  /** The safe window is narrower than the timing uncertainty: no difference of the two redirections is safe. */
  readonly windowTooNarrow: boolean;
}

export interface Evaluation {
  /** In the order of the given flows. */
  readonly flows: readonly FlowOutcome[];
  /** Lost packets x priority, summed over the flows. */
  readonly objective: number;
  /** The objective in the worst case that the timing uncertainty allows; `optimal` minimises it. */
  readonly worstObjective: number;
}

/**
 * Predicts what a schedule loses, reorders and delays, by the loss model (docs/loss-model.md). Assumes that the gates
 * of `hold` and `drain` were made for these flows and this uncertainty. Throws VnmError `invalid-input` for `hold`
 * under strict uRPF.
 */
export function evaluate(
  schedule: Schedule,
  flows: readonly FlowPath[],
  urpf: UrpfMode,
  uncertainty: Uncertainty,
): Evaluation {
  checkAllowed(schedule.name, urpf);
  const outcomes = flows.map((flow) => outcomeOf(schedule, flow, urpf, uncertainty));
  return {
    flows: outcomes,
    objective: sum(outcomes.map(({ flow, lostMs }) => flow.weight * lostMs)),
    worstObjective: sum(outcomes.map(({ flow, worstLostMs }) => flow.weight * worstLostMs)),
  };
}

function outcomeOf(schedule: Schedule, flow: FlowPath, urpf: UrpfMode, uncertainty: Uncertainty): FlowOutcome {
  const gated = schedule.name === 'hold' || schedule.name === 'drain';
  const losing = urpf === 'strict' && !gated && crossesNetwork(flow) && flow.isOldDown !== true;
  const reordering = urpf !== 'strict' && !gated && crossesNetwork(flow);
  const gate = schedule.gates.get(flow.source);
  const loss = losing ? strictLoss(schedule, flow, uncertainty) : noLoss;
  return {
    flow,
    ...loss,
    lostPackets: flow.ratePerMs * loss.lostMs,
    worstLostPackets: flow.ratePerMs * loss.worstLostMs,
    reorderedPackets: reordering ? flow.ratePerMs * overtakenMs(flow) : 0,
    addedDelayMs: gate === undefined ? 0 : gateDelayMs(gate, timingOf(uncertainty, flow.source)),
  };
}

const noLoss = { lostMs: 0, worstLostMs: 0, windowTooNarrow: false };

function strictLoss(schedule: Schedule, flow: FlowPath, uncertainty: Uncertainty): typeof noLoss {
  const { oldMs, newMs, source, destination } = flow;
  const differenceMs = offsetMs(schedule, destination, source) - offsetMs(schedule, source, destination);
  const timing = flowTiming(flow, uncertainty);
  return {
    lostMs: strictLossMs({ oldMs, newMs, differenceMs }),
    // `timing` includes the spread of the latencies, but not for the loss that no difference avoids.
    worstLostMs: Math.max(strictLossMs({ oldMs, newMs, differenceMs }, timing), overtakenMs(atWorst(flow))),
    windowTooNarrow: safeWindow(flow, timing).empty,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
