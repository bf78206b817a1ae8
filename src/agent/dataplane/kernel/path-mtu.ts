import { ownStack, showBatch } from './ip.ts';

/** Largest that an IPv4 packet can be. */
const largestPacket = 65_535;

interface WayJson {
  dev: string;
  metrics?: { mtu?: number }[];
}

/** Largest IP packet to each address: what the way allows, if the kernel knows (`mtu`), and its first interface. */
export async function pathMtu(remotes: readonly string[]): Promise<number[]> {
  if (remotes.length === 0) return [];
  const ways = (await showBatch(
    'ip',
    ownStack,
    remotes.map((remote) => ['route', 'get', remote]),
  )) as WayJson[][];
  const [links] = (await showBatch('ip', ownStack, [['link', 'show']])) as { ifname: string; mtu: number }[][];
  const mtus = new Map(links!.map(({ ifname, mtu }) => [ifname, mtu]));
  return ways.map(([way]) =>
    Math.min(largestPacket, mtus.get(way!.dev)!, ...(way!.metrics ?? []).flatMap(({ mtu }) => mtu ?? [])),
  );
}
