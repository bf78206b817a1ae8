import { VnmError } from '../../model/errors.ts';
import { mtuRange } from '../../model/mtu.ts';
import type { NodeName } from '../../model/names.ts';
import { joinsNodes, type TunnelKind, tunnelDescriptor } from '../../model/tunnel.ts';
import type { Instance } from '../../planning/instance.ts';
import type { AccessLink } from '../../planning/vn-plan.ts';
import type { Agents } from '../nodes/agents.ts';

/** The MTU of tunnels if the underlay has room for their own headers: ordinary Ethernet-size packets. */
const usualMtu = 1500;

/**
 * Returns the largest packet that every tunnel of an instance and every access link carries, according to the nodes'
 * interfaces.
 */
export async function tunnelMtu(
  agents: Agents,
  instance: Instance,
  access: readonly AccessLink[],
  largest: number = usualMtu,
): Promise<{ mtu: number; node?: NodeName }> {
  const overheads = overheadsOf(agents, [
    ...instance.links.map(({ tunnel, a, b }) => ({ tunnel, nodes: [a.node, b.node] as const })),
    ...access.map(({ tunnel, gatewayEnd: a, hostEnd: b }) => ({ tunnel, nodes: [a.node, b.node] as const })),
  ]);
  const found = await Promise.all(
    [...overheads].map(async ([node, remotes]) => {
      const { mtus } = await agents.get(node).call('path_mtu', { remotes: [...remotes.keys()] });
      const [mtu, overhead] = [...remotes.values()]
        .map((bytes, index) => [mtus[index]! - bytes, bytes] as const)
        .reduce((best, next) => (next[0] < best[0] ? next : best));
      return { node, mtu, overhead };
    }),
  );
  const none = { node: '', mtu: largest, overhead: 0 };
  const { node, mtu, overhead } = found.reduce((best, next) => (next.mtu < best.mtu ? next : best), none);
  if (node === '') return { mtu };
  if (mtu < mtuRange[0]) {
    throw new VnmError('unsupported', `node '${node}' carries tunnel packets of at most ${mtu} bytes`, {
      hint: `tunnels need an underlay MTU of ${mtuRange[0] + overhead} bytes or more`,
    });
  }
  return { node, mtu };
}

/** By node: the addresses that its tunnels lead to, each with the most bytes that a tunnel to it adds. */
function overheadsOf(
  agents: Agents,
  tunnels: readonly { tunnel: TunnelKind; nodes: readonly [string, string] }[],
): Map<string, Map<string, number>> {
  const overheads = new Map<string, Map<string, number>>();
  const add = (node: NodeName, peer: string, bytes: number) => {
    const [remotes, address] = [overheads.get(node) ?? new Map<string, number>(), agents.address(peer)];
    overheads.set(node, remotes.set(address, Math.max(bytes, remotes.get(address) ?? 0)));
  };
  for (const { tunnel, nodes } of tunnels.filter((one) => joinsNodes(one.tunnel))) {
    const [a, b] = nodes;
    const { overheadBytes } = tunnelDescriptor(tunnel);
    add(a, b, overheadBytes);
    add(b, a, overheadBytes);
  }
  return overheads;
}
