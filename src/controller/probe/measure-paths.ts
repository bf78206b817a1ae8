import { systemClock } from '../../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../../clock/exchange.ts';
import type { RouterName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, type Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { Agents } from '../nodes/agents.ts';
import { type PathLatency, type ProbedPath, pathLatency, steadiestRound } from './path-latency.ts';
import { runStream } from './streams.ts';

const defaultProbes = 50;
const probeBytes = 64;
const probeIntervalMs = 5;
/** If the first probes spread too far to be trusted, more rounds follow, each over twice the time. */
const mostRounds = 4;
const laterIntervalMs = 10;
const quietMs = 1500;
/** The same for a path that may be dead: its first probe has this long, and the time that sending takes. */
const doubtfulQuietMs = 200;

/** The pairs of gateways that a VN's flows use, each pair once for both directions. */
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
 * Measures path latencies over one instance with many short probes (`count`) from gateway to gateway, in both
 * directions of all pairs that a flow uses, in parallel, corrected by the clocks' offsets. Repeats them if the first
 * ones spread too far, unless `count` is less than the default. Waits only briefly on paths with a router whose node is
 * unreachable: it may still forward, but is probably dead.
 */
export async function measurePaths(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  clocks: ReadonlyMap<string, ClockEstimate>,
  count = defaultProbes,
): Promise<PathLatency[]> {
  const isUnreachable = (router: RouterName) => agents.missing.has(instance.placement.get(router)!);
  const pairs = await Promise.all(
    probedPairs(vn).map(async ([one, other]) => {
      const isDoubtful = routersBetween(vn, one, other).some(isUnreachable);
      const patienceMs = isDoubtful ? doubtfulQuietMs : quietMs;
      const most = isDoubtful || count < defaultProbes ? 1 : mostRounds;
      return probeUntilSteady(most, (round) => {
        const intervalMs = round === 1 ? probeIntervalMs : laterIntervalMs;
        return Promise.all([
          probe(agents, instance, one, other, clocks, { count, intervalMs, patienceMs }),
          probe(agents, instance, other, one, clocks, { count, intervalMs, patienceMs }),
        ]);
      });
    }),
  );
  return pairs.flat();
}

/** Repeats rounds of probes, there and back, until their latencies can be trusted or `most` rounds have been sent. */
export async function probeUntilSteady(
  most: number,
  probeBoth: (round: number) => Promise<[ProbedPath, ProbedPath]>,
): Promise<[PathLatency, PathLatency]> {
  const there: ProbedPath[] = [];
  const back: ProbedPath[] = [];
  for (let round = 1; ; round += 1) {
    const [one, other] = await probeBoth(round);
    there.push(one);
    back.push(other);
    const [ahead, behind] = [steadiestRound(there), steadiestRound(back)];
    const paths: [PathLatency, PathLatency] = [pathLatency(ahead, behind), pathLatency(behind, ahead)];
    if (round >= most || paths.every(({ isSteady }) => isSteady)) return paths;
  }
}

async function probe(
  agents: Agents,
  instance: Instance,
  from: string,
  to: string,
  clocks: ReadonlyMap<string, ClockEstimate>,
  { count, intervalMs, patienceMs }: { count: number; intervalMs: number; patienceMs: number },
): Promise<ProbedPath> {
  const source = gatewayLink(instance, from).a;
  const destination = gatewayLink(instance, to).a;
  const rateBps = (probeBytes * 8 * 1000) / intervalMs;
  const spec = { from: source, to: destination, payloadBytes: probeBytes, rateBps, count };
  const report = await runStream(agents, spec, { quietMs: patienceMs });
  const [here, there] = [clocks.get(source.node)!, clocks.get(destination.node)!];
  const nowMs = systemClock.monotonicMs();
  return {
    from,
    to,
    probes: count,
    report,
    // Arrival is measured by the destination's clock, sending by the source's.
    correctionMs: here.offsetMs - there.offsetMs,
    clockBoundMs: boundAt(there, nowMs) + boundAt(here, nowMs),
  };
}
