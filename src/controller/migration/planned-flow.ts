import type { FlowOutcome } from '../../planning/schedule/evaluate.ts';

export interface PlannedFlow {
  readonly from: string;
  readonly to: string;
  /** Null if nothing arrives over the old instance. */
  readonly oldLatencyMs: number | null;
  readonly newLatencyMs: number;
  /** How much the latency may differ if the probes spread too far to be trusted, else 0; `worstLost` includes it. */
  readonly oldSpreadMs: number;
  readonly newSpreadMs: number;
  readonly predictedLossMs: number;
  readonly predictedLost: number;
  readonly worstLost: number;
  readonly predictedReordered: number;
  readonly addedDelayMs: number;
  /** Whether no time between the two redirections is safe against the timing uncertainty. */
  readonly windowTooNarrow: boolean;
}

/** The effect of a schedule on one flow, as it is shown. */
export function plannedFlow(outcome: FlowOutcome): PlannedFlow {
  const { flow } = outcome;
  return {
    from: flow.from,
    to: flow.to,
    oldLatencyMs: flow.isOldDown === true ? null : flow.oldMs,
    newLatencyMs: flow.newMs,
    oldSpreadMs: flow.oldSpreadMs ?? 0,
    newSpreadMs: flow.newSpreadMs ?? 0,
    predictedLossMs: outcome.lostMs,
    predictedLost: outcome.lostPackets,
    worstLost: outcome.worstLostPackets,
    predictedReordered: outcome.reorderedPackets,
    addedDelayMs: outcome.addedDelayMs,
    windowTooNarrow: outcome.windowTooNarrow,
  };
}
