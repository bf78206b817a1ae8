/** Warnings about latencies whose probes spread too far to be trusted. */
import type { PathLatency } from '../probe/path-latency.ts';
import type { PlannedFlow } from './planned-flow.ts';

const advice = 'the nodes or the path are busy; repeat at a quieter time';

/** The warning about a flow, with its predicted loss; undefined if both latencies can be trusted. */
export function spreadWarning(
  flow: Pick<
    PlannedFlow,
    'from' | 'to' | 'oldLatencyMs' | 'newLatencyMs' | 'oldSpreadMs' | 'newSpreadMs' | 'predictedLost' | 'worstLost'
  >,
): string | undefined {
  const parts = [
    part('old', flow.oldLatencyMs, flow.oldSpreadMs),
    part('new', flow.newLatencyMs, flow.newSpreadMs),
  ].filter((text) => text !== undefined);
  if (parts.length === 0) return undefined;
  const loss = `predicted loss ${flow.predictedLost.toFixed(1)} packets, at worst ${flow.worstLost.toFixed(1)}`;
  return `${flow.from} -> ${flow.to}: latency not steady on the ${parts.join(' and the ')}: ${loss}; ${advice}`;
}

function part(name: string, latencyMs: number | null, spreadMs: number): string | undefined {
  if (latencyMs === null || spreadMs === 0) return undefined;
  return `${name} path (median ${latencyMs.toFixed(1)} ms, shortest ${(latencyMs - spreadMs).toFixed(1)} ms)`;
}

/** The warning about a measured path; undefined if its latency can be trusted. */
export function unsteadyPath({ from, to, isSteady, spreadMs, probes }: PathLatency): string | undefined {
  if (isSteady) return undefined;
  return `${from} -> ${to}: latency not steady, median ${spreadMs.toFixed(1)} ms above the shortest of ${probes} probes; ${advice}`;
}
