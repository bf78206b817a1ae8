/** Tunnels whose other end sends from an address other than the tunnel's remote. */
import { VnmError } from '../../model/errors.ts';
import type { Obstacle } from '../../vsys/obstacle.ts';
import type { Policy } from '../../vsys/policy.ts';
import { readFilter } from '../dataplane/kernel/read-filter.ts';
import type { TunnelFilter } from '../dataplane/planner/state.ts';

/** Finds none if the node cannot filter. */
export async function sourceObstacles(policy: Policy): Promise<Obstacle[]> {
  try {
    return unexpectedSources(await readFilter(policy));
  } catch (error) {
    if (error instanceof VnmError) return [];
    throw error;
  }
}

/** Returns one obstacle per tunnel that lists who recently sent packets into it. */
function unexpectedSources({ remotes, watched, heard }: TunnelFilter): Obstacle[] {
  return [...remotes].flatMap(([key, allowed]): Obstacle[] => {
    const senders = [...(heard.get(key) ?? [])].filter((address) => !allowed.has(address)).sort();
    if (senders.length === 0) return [];
    const [port, vni] = key.split(' . ');
    const [from, remote] = [shorten(senders), [...allowed].join(', ')];
    const fate = watched.has(key) ? 'so the tunnel accepts packets from any sender' : 'and are dropped';
    return [
      {
        kind: 'tunnel-source',
        message: `packets for the tunnel to ${remote} (VNI ${vni}, port ${port}) come from ${from}, ${fate}`,
        hint: `if that is the node at the other end, give it the address ${remote}, make its NAT send from there, or set its \`address\` in the slice file to the one that it sends from; otherwise someone else sends them`,
        // Anyone can send such packets, whether or not those of the other end arrive.
        blocks: false,
      },
    ];
  });
}

function shorten(addresses: readonly string[]): string {
  return [...addresses.slice(0, 3), ...(addresses.length > 3 ? [`${addresses.length - 3} more`] : [])].join(', ');
}
