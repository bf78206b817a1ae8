import type { NodeName } from '../model/names.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import type { Context } from './base/context.ts';
import { edgeNodes } from './base/resolve.ts';
import { withAgents } from './nodes/agents.ts';
import { type ClockReport, measureClocks, reportClock } from './nodes/clocks.ts';
import { measurePaths } from './probe/measure-paths.ts';
import type { PathLatency } from './probe/path-latency.ts';

export interface MeasureResult {
  readonly slice: string;
  readonly vn: string;
  readonly clocks: ({ node: NodeName } & ClockReport)[];
  readonly instances: { placement: string | null; state: string; paths: PathLatency[] }[];
}

/** Measures the path latency between each flow's gateways on every instance, and the clocks of the gateways. */
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
