import type { FlowTiming } from './types.ts';

interface Latencies {
  /** One-way latency from gateway to gateway on the old and on the new instance. */
  readonly oldMs: number;
  readonly newMs: number;
}

const exact = { earlyMs: 0, lateMs: 0 };

/**
 * Lost time of a flow in ms under strict uRPF (RFC 3704), where the route to a source is also the only one that packets from
 * it are accepted on. The last packet on the old path arrives `oldMs` after the source's redirection, the first one on the new
 * path `newMs` after it, and the destination accepts the old path before its own redirection, `differenceMs` later, and the new one after it.
 * Lost packets are rate x lost time. See the loss model (docs/loss-model.md).
 *
 * The paper's section IV takes any difference from 0 to `oldMs` for optimal when the new path is the faster one; only
 * differences from `newMs` to `oldMs` are.
 *
 * With `timing` the loss is the worst one that this uncertainty allows, without it the nominal one.
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

/** The differences of the two redirections that lose no more than `max(0, oldMs - newMs)` whatever the timing does. */
export interface SafeWindow {
  readonly fromMs: number;
  readonly toMs: number;
  /** Narrower than the timing uncertainty: no difference is safe. */
  readonly empty: boolean;
}

export function safeWindow(flow: Latencies, timing: Pick<FlowTiming, 'earlyMs' | 'lateMs'> = exact): SafeWindow {
  const fromMs = Math.min(flow.oldMs, flow.newMs) + timing.earlyMs;
  const toMs = Math.max(flow.oldMs, flow.newMs) - timing.lateMs;
  return { fromMs, toMs, empty: fromMs > toMs };
}
