import type { NodeName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import type { NodeCounters } from '../vsys/messages.ts';
import { type Context, signalOption } from './base/context.ts';
import { edgeNodes } from './base/resolve.ts';
import { withAgents } from './nodes/agents.ts';

export interface CountersResult {
  readonly slice: string;
  readonly nodes: readonly (NodeCounters & { readonly node: NodeName })[];
}

/** Reads what the interfaces of a slice's installed VNs have carried, and why packets were dropped. Changes nothing. */
export async function counters(context: Context, slice: Slice): Promise<CountersResult> {
  const instances = context.store.instances.list({ slice: slice.name });
  const installed = new Set(instances.map(({ vn }) => vn));
  const nodes = new Set([
    ...slice.vns.filter(({ name }) => installed.has(name)).flatMap(edgeNodes),
    ...instances.flatMap(({ id }) => routerNodes(context.store.instances.plan(id))),
  ]);
  context.report({ kind: 'phase', text: `read the counters of ${nodes.size} nodes` });
  return withAgents(context, slice, nodes, async (agents) => ({
    slice: slice.name,
    nodes: await Promise.all(
      [...nodes].sort().map(async (node) => ({
        node,
        ...(await agents.get(node).call('counters', {}, signalOption(context))),
      })),
    ),
  }));
}
