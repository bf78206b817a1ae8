import { systemClock } from '../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../clock/exchange.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { gatewayLink, type Instance } from '../planning/instance.ts';
import { routersBetween } from '../planning/paths.ts';
import { type Agents, withAgents } from './agents.ts';
import { type ClockReport, measureClocks, reportClock } from './clocks.ts';
import type { Context } from './context.ts';
import { type PathLatency, type ProbedPath, pathLatency } from './path-latency.ts';
import { edgeNodes } from './resolve.ts';
import { runStream } from './streams.ts';

export type { PathLatency };

export interface MeasureResult {
  readonly slice: string;
  readonly vn: string;
  readonly clocks: ({ node: string } & ClockReport)[];
  readonly instances: { placement: string; state: string; paths: PathLatency[] }[];
}

const defaultProbes = 50;
const probeBytes = 64;
const probeIntervalMs = 5;
const quietMs = 1500;
/** Where nothing is expected to arrive, but it may: the first probe has this and the time that sending takes. */
const doubtfulQuietMs = 200;

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
    const measured = [];
    for (const { id, placementName: placement, state } of records) {
      measured.push({ placement, state, paths: await measurePaths(agents, vn, instances.plan(id), clocks) });
    }
    return {
      slice: slice.name,
      vn: vn.name,
      clocks: [...clocks].map(([node, clock]) => ({ node, ...reportClock(clock) })),
      instances: measured,
    };
  });
}

/** The pairs of gateways that a VN's flows use, each in both directions once. */
export function probedPairs(vn: VirtualNetwork): [string, string][] {
  const gatewayBy = new Map(vn.endHosts.map((endHost) => [endHost.name, endHost.gateway]));
  const pairs = new Map<string, [string, string]>();
  for (const flow of vn.flows) {
    const ends = [gatewayBy.get(flow.from)!, gatewayBy.get(flow.to)!].sort() as [string, string];
    if (ends[0] !== ends[1]) pairs.set(JSON.stringify(ends), ends);
  }
  return [...pairs.values()];
}

/**
 * Many short probes (`count`) from gateway to gateway over one instance, both directions of all pairs that a flow uses at once,
 * corrected by the clocks' offsets. Where a router's node is away nothing is waited for long: it may still forward, but is more likely dead.
 */
export async function measurePaths(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  clocks: ReadonlyMap<string, ClockEstimate>,
  count = defaultProbes,
): Promise<PathLatency[]> {
  const isAway = (router: string) => agents.missing.has(instance.placement.get(router)!);
  const pairs = await Promise.all(
    probedPairs(vn).map(async ([one, other]) => {
      const patienceMs = routersBetween(vn, one, other).some(isAway) ? doubtfulQuietMs : quietMs;
      const [there, back] = await Promise.all([
        probe(agents, instance, one, other, clocks, { count, patienceMs }),
        probe(agents, instance, other, one, clocks, { count, patienceMs }),
      ]);
      return [pathLatency(there, back), pathLatency(back, there)];
    }),
  );
  return pairs.flat();
}

async function probe(
  agents: Agents,
  instance: Instance,
  from: string,
  to: string,
  clocks: ReadonlyMap<string, ClockEstimate>,
  { count, patienceMs }: { count: number; patienceMs: number },
): Promise<ProbedPath> {
  const source = gatewayLink(instance, from).a;
  const destination = gatewayLink(instance, to).a;
  const rateBps = (probeBytes * 8 * 1000) / probeIntervalMs;
  const spec = { from: source, to: destination, payloadBytes: probeBytes, rateBps, count };
  const report = await runStream(agents, spec, patienceMs);
  const [here, there] = [clocks.get(source.node)!, clocks.get(destination.node)!];
  const nowMs = systemClock.monotonicMs();
  return {
    from,
    to,
    probes: count,
    report,
    // Arrival is by the destination's clock, sending by the source's.
    correctionMs: here.offsetMs - there.offsetMs,
    clockBoundMs: boundAt(there, nowMs) + boundAt(here, nowMs),
  };
}
