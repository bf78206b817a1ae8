import type { FlowOutcome } from '../../planning/schedule/evaluate.ts';

export interface PlannedFlow {
  readonly from: string;
  readonly to: string;
  /** Null where nothing arrives over the old instance. */
  readonly oldLatencyMs: number | null;
  readonly newLatencyMs: number;
  /** 0, or where the probes spread too far to be trusted, by how much the latency may differ; `worstLost` counts with it. */
  readonly oldSpreadMs: number;
  readonly newSpreadMs: number;
  readonly predictedLossMs: number;
  readonly predictedLost: number;
  readonly worstLost: number;
  readonly predictedReordered: number;
  readonly addedDelayMs: number;
  /** No difference of the redirections is safe against the timing uncertainty. */
  readonly windowTooNarrow: boolean;
}

/** What a schedule does to one flow, as it is shown. */
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
