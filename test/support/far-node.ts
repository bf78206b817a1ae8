/** Another host on the network of a test node: a network namespace without an agent. Needs root. */
import { execFileSync } from 'node:child_process';
import type { AgentNode } from './agent-node.ts';
import { ip } from './kernel.ts';
import { uniqueName } from './privileges.ts';

/** The addresses of the node and of the other host, which has two; all in 192.0.2.0/24. */
export const [nodeAddress, farAddress, strangeAddress] = ['192.0.2.1', '192.0.2.9', '192.0.2.8'] as const;

export interface FarNode {
  readonly namespace: string;
  remove(): Promise<void>;
}

export async function startFarNode(node: AgentNode): Promise<FarNode> {
  const namespace = uniqueName('far');
  execFileSync('ip', ['netns', 'add', namespace]);
  node.ip(`link add u0 type veth peer name u0 netns ${namespace}`);
  node.ip(`address add ${nodeAddress}/24 broadcast + dev u0`);
  for (const address of [farAddress, strangeAddress]) ip(namespace, `address add ${address}/24 dev u0`);
  for (const end of [node.namespace, namespace]) ip(end, 'link set u0 up');
  return {
    namespace,
    remove: async () => {
      execFileSync('ip', ['netns', 'del', namespace]);
    },
  };
}
