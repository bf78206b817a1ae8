import { ownStack } from '../planner/state.ts';
import { showBatch } from './ip.ts';

/** The largest size of an IPv4 packet. */
const largestPacket = 65_535;

interface WayJson {
  dev: string;
  metrics?: { mtu?: number }[];
}

interface LinkJson {
  ifname: string;
  mtu: number;
}

/**
 * Returns the largest IP packet to each address: the smaller of the path MTU, if the kernel knows it (`mtu`), and the
 * MTU of the first interface.
 */
export async function pathMtu(remotes: readonly string[]): Promise<number[]> {
  if (remotes.length === 0) return [];
  const [links, ...ways] = await showBatch('ip', ownStack, [
    ['link', 'show'],
    ...remotes.map((remote) => ['route', 'get', remote]),
  ]);
  const mtus = new Map((links as LinkJson[]).map(({ ifname, mtu }) => [ifname, mtu]));
  return (ways as WayJson[][]).map(([way]) =>
    Math.min(largestPacket, mtus.get(way!.dev)!, ...(way!.metrics ?? []).flatMap(({ mtu }) => mtu ?? [])),
  );
}
