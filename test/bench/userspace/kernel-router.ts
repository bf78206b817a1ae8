/** A router of the kernel plane between two ends on another host, each a namespace of its own. Needs root. */
import { execFileSync } from 'node:child_process';
import { formatPrefix, type Prefix } from '../../../src/model/address.ts';
import { startAgentNode } from '../../support/agent-node.ts';
import { farAddress, nodeAddress, startFarNode, strangeAddress } from '../../support/far-node.ts';
import { ip } from '../../support/kernel.ts';
import { macs, vnis } from './datagrams.ts';
import type { Place } from './end.ts';
import { routerBetween, type Side } from './router.ts';

const port = 4790;
/** Of a network whose links carry the largest packets and the tunnel's headers. */
const underlayMtu = 9000;

export interface KernelRouter {
  /** Where the ends run. */
  readonly namespace: string;
  readonly place: Place;
  readonly ends: Readonly<Record<Side, Place>>;
  /** Routes to the far end; they stay. */
  addRoutes(prefixes: readonly Prefix[]): void;
  remove(): Promise<void>;
}

export async function startKernelRouter(): Promise<KernelRouter> {
  const node = await startAgentNode();
  try {
    const far = await startFarNode(node);
    // The ends confirm to each other within their namespace.
    ip(far.namespace, 'link set lo up');
    for (const namespace of [node.namespace, far.namespace]) ip(namespace, `link set u0 mtu ${underlayMtu}`);
    const ends = { near: { address: farAddress, port }, far: { address: strangeAddress, port } };
    const router = node.router('r');
    await node.apply(
      routerBetween(router, (side) => {
        const tunnel = { kind: 'vxlan', mac: macs[side], vni: vnis[side], remote: ends[side].address, port } as const;
        return { op: 'tunnel_up', interface: `pv001-${side}`, namespace: router, mtu: 1500, ...tunnel };
      }),
    );
    return {
      namespace: far.namespace,
      place: { address: nodeAddress, port },
      ends,
      addRoutes: (prefixes) => addRoutes(router, prefixes),
      async remove() {
        await far.remove();
        await node.remove();
      },
    };
  } catch (error) {
    await node.remove();
    throw error;
  }
}

/** Without the agent, whose policy allows those of the slice's own network only. */
function addRoutes(namespace: string, prefixes: readonly Prefix[]): void {
  const lines = prefixes.map((prefix) => `route replace ${formatPrefix(prefix)} via 10.65.2.2 dev pv001-far onlink`);
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: lines.join('\n') });
}
