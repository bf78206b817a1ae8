import type { FlowTiming } from './types.ts';

interface Latencies {
  /** One-way latencies from gateway to gateway on the old and on the new instance. */
  readonly oldMs: number;
  readonly newMs: number;
}

const exact = { earlyMs: 0, lateMs: 0 };

/**
 * The lost time of a flow in ms under strict uRPF (RFC 3704), where a gateway accepts packets from a source only on its
 * route to that source. The last packet on the old path arrives `oldMs` after the source's redirection, the first
 * packet on the new path `newMs` after it. The destination redirects `differenceMs` after the source; it accepts the
 * old path before that and the new path from then on. The number of lost packets is rate x lost time
 * (docs/loss-model.md).
 *
 * The paper's section IV considers any difference from 0 to `oldMs` optimal when the new path is faster; only
 * differences from `newMs` to `oldMs` are.
 *
 * With `timing` the loss is the worst that this uncertainty allows, without it the nominal loss.
 */
export function strictLossMs(
  flow: Latencies & {
    /** The destination's redirection minus the source's. */
    readonly differenceMs: number;
  },
  timing: Pick<FlowTiming, 'earlyMs' | 'lateMs'> = exact,
): number {
  const { oldMs, newMs, differenceMs } = flow;
  return Math.max(0, oldMs - newMs, oldMs + timing.earlyMs - differenceMs, differenceMs + timing.lateMs - newMs);
}

/** The differences of the two redirections that lose at most `max(0, oldMs - newMs)`, whatever the timing. */
export interface SafeWindow {
  readonly fromMs: number;
  readonly toMs: number;
  /** The window is narrower than the timing uncertainty: no difference is safe. */
  readonly empty: boolean;
}

export function safeWindow(flow: Latencies, timing: Pick<FlowTiming, 'earlyMs' | 'lateMs'> = exact): SafeWindow {
  const fromMs = Math.min(flow.oldMs, flow.newMs) + timing.earlyMs;
  const toMs = Math.max(flow.oldMs, flow.newMs) - timing.lateMs;
  return { fromMs, toMs, empty: fromMs > toMs };
}
