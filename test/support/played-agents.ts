import type { Agents } from '../../src/controller/nodes/agents.ts';
import type { Slice } from '../../src/model/slice.ts';

/** Agents of nodes that are all reachable and have every feature; `answer` returns a node's answer to a request. */
export function playedAgents(
  slice: Slice,
  answer: (node: string, method: string, params: never) => unknown = () => ({ results: [] }),
): Agents {
  return {
    slice,
    missing: new Map(),
    givenUp: new Set(),
    revive: async () => {},
    get: (node: string) => ({ call: async (method: string, params: never) => answer(node, method, params) }),
    namespacePrefix: () => `pv-${slice.name}_`,
    resilient: () => true,
    gates: () => true,
    address: () => '192.0.2.1',
  } as unknown as Agents;
}
