import { VnmError } from '../model/errors.ts';
import type { Instance } from '../planning/instance.ts';
import type { Agents } from './agents.ts';
import { vxlanOverhead } from './operations.ts';

/** Tunnels carry ordinary Ethernet-size packets where the underlay has room for the tunnel's own headers. */
const largestMtu = 1500;

/** The largest packet that every tunnel of an instance and every access link carries: what the nodes' interfaces say. */
export async function tunnelMtu(
  agents: Agents,
  instance: Instance,
  access: readonly { gatewayEnd: { node: string }; hostEnd: { node: string } }[],
): Promise<{ mtu: number; node?: string }> {
  const pairs = [
    ...instance.links.map((link) => [link.a.node, link.b.node]),
    ...access.map((l) => [l.gatewayEnd.node, l.hostEnd.node]),
  ];
  const remotes = new Map<string, Set<string>>();
  for (const [a, b] of pairs as [string, string][]) {
    if (a === b) continue;
    remotes.set(a, (remotes.get(a) ?? new Set()).add(agents.address(b)));
    remotes.set(b, (remotes.get(b) ?? new Set()).add(agents.address(a)));
  }
  const found = await Promise.all(
    [...remotes].map(async ([node, addresses]) => {
      const { mtus } = await agents.get(node).call('path_mtu', { remotes: [...addresses] });
      return { node, mtu: Math.min(...mtus) - vxlanOverhead };
    }),
  );
  const narrowest = found.reduce((best, next) => (next.mtu < best.mtu ? next : best), { node: '', mtu: largestMtu });
  if (narrowest.node === '') return { mtu: largestMtu };
  if (narrowest.mtu < 576) {
    throw new VnmError(
      'unsupported',
      `node '${narrowest.node}' carries tunnel packets of ${narrowest.mtu} bytes at most`,
      {
        hint: 'tunnels need an underlay MTU of 626 bytes or more',
      },
    );
  }
  return narrowest;
}
