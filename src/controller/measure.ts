import { systemClock } from '../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../clock/exchange.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { gatewayLink, type Instance } from '../planning/instance.ts';
import { type Agents, withAgents } from './agents.ts';
import { measureClocks } from './clocks.ts';
import type { Context } from './context.ts';
import { edgeNodes } from './resolve.ts';
import { runStream } from './streams.ts';

/** One-way latency between two gateways over one instance, in ms; the error of the clocks is at most `clockBoundMs`. */
export interface PathLatency {
  readonly from: string;
  readonly to: string;
  readonly minMs: number;
  readonly medianMs: number;
  /** p99 minus minimum. */
  readonly jitterMs: number;
  readonly probes: number;
  readonly lost: number;
  readonly clockBoundMs: number;
}

export interface MeasureResult {
  readonly slice: string;
  readonly vn: string;
  readonly clocks: { node: string; offsetMs: number; boundMs: number }[];
  readonly instances: { placement: string; state: string; paths: PathLatency[] }[];
}

const probes = 50;
const probeBytes = 64;
const probeIntervalMs = 5;
const quietMs = 1500;

/** Path latency of each flow's gateways on every instance there is, and the clocks of the gateways. */
export async function measure(context: Context, slice: Slice, vn: VirtualNetwork): Promise<MeasureResult> {
  const { instances } = context.store;
  const records = instances.list({ slice: slice.name, vn: vn.name });
  context.report({ kind: 'phase', text: `measure VN '${vn.name}'` });
  return withAgents(context, slice, edgeNodes(vn), async (agents) => {
    const clocks = await measureClocks(
      agents,
      vn.gateways.map((gateway) => gateway.node),
    );
    const nowMs = systemClock.monotonicMs();
    const measured = [];
    for (const { id, placementName: placement, state } of records) {
      measured.push({ placement, state, paths: await measurePaths(agents, vn, instances.plan(id), clocks) });
    }
    return {
      slice: slice.name,
      vn: vn.name,
      clocks: [...clocks].map(([node, clock]) => ({ node, offsetMs: clock.offsetMs, boundMs: boundAt(clock, nowMs) })),
      instances: measured,
    };
  });
}

/** The pairs of gateways that a VN's flows use, each once. */
export function flowPaths(vn: VirtualNetwork): { from: string; to: string }[] {
  const gatewayBy = new Map(vn.endHosts.map((endHost) => [endHost.name, endHost.gateway]));
  const pairs = vn.flows.map((flow) => ({ from: gatewayBy.get(flow.from)!, to: gatewayBy.get(flow.to)! }));
  return pairs.filter(
    ({ from, to }, index) =>
      from !== to && pairs.findIndex((other) => other.from === from && other.to === to) === index,
  );
}

/** Many short probes from gateway to gateway over one instance, all pairs at once, corrected by the clocks' offsets. */
export async function measurePaths(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<PathLatency[]> {
  const rateBps = (probeBytes * 8 * 1000) / probeIntervalMs;
  return Promise.all(
    flowPaths(vn).map(async ({ from, to }) => {
      const source = gatewayLink(instance, from).a;
      const destination = gatewayLink(instance, to).a;
      const spec = { from: source, to: destination, payloadBytes: probeBytes, rateBps, count: probes };
      const { received, delayMs } = await runStream(agents, spec, quietMs);
      const [there, here] = [clocks.get(destination.node)!, clocks.get(source.node)!];
      // Arrival is by the destination's clock, sending by the source's.
      const correctionMs = here.offsetMs - there.offsetMs;
      const nowMs = systemClock.monotonicMs();
      return {
        from,
        to,
        minMs: (delayMs?.min ?? Number.NaN) + correctionMs,
        medianMs: (delayMs?.median ?? Number.NaN) + correctionMs,
        jitterMs: delayMs === undefined ? Number.NaN : delayMs.p99 - delayMs.min,
        probes,
        lost: probes - received,
        clockBoundMs: boundAt(there, nowMs) + boundAt(here, nowMs),
      };
    }),
  );
}
