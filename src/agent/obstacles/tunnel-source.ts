/** Tunnels whose other end sends from another address than the one that the node sends to. */
import { VnmError } from '../../model/errors.ts';
import type { Obstacle } from '../../vsys/obstacle.ts';
import type { Policy } from '../../vsys/policy.ts';
import { readFilter } from '../dataplane/kernel/read-filter.ts';
import type { TunnelFilter } from '../dataplane/kernel/state.ts';

/** None where the node cannot filter. */
export async function sourceObstacles(policy: Policy): Promise<Obstacle[]> {
  try {
    return strangeSources(await readFilter(policy));
  } catch (error) {
    if (error instanceof VnmError) return [];
    throw error;
  }
}

/** Of each tunnel one, with those who sent packets into it of late. */
function strangeSources({ remotes, watched, heard }: TunnelFilter): Obstacle[] {
  return [...remotes].flatMap(([key, allowed]): Obstacle[] => {
    const strangers = [...(heard.get(key) ?? [])].filter((address) => !allowed.has(address)).sort();
    if (strangers.length === 0) return [];
    const [port, vni] = key.split(' . ');
    const [from, remote] = [shorten(strangers), [...allowed].join(', ')];
    const fate = watched.has(key) ? 'so it takes packets from anybody' : 'and are dropped';
    return [
      {
        kind: 'tunnel-source',
        message: `packets for the tunnel to ${remote} (VNI ${vni}, port ${port}) come from ${from}, ${fate}`,
        hint: `if that is the node at the other end, make ${remote} an address of its own or have its NAT send from there, or give the address that it sends from as its \`address\` in the slice file; else somebody else sends them`,
        // Anybody can send such packets, whether or not the other end's arrive.
        blocks: false,
      },
    ];
  });
}

function shorten(addresses: readonly string[]): string {
  return [...addresses.slice(0, 3), ...(addresses.length > 3 ? [`${addresses.length - 3} more`] : [])].join(', ');
}
