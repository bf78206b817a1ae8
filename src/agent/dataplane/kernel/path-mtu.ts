import { ownStack, showBatch } from './ip.ts';

/** Largest that an IPv4 packet can be. */
const largestPacket = 65_535;

interface WayJson {
  dev: string;
  metrics?: { mtu?: number }[];
}

interface LinkJson {
  ifname: string;
  mtu: number;
}

/** Largest IP packet to each address: what the way allows, if the kernel knows (`mtu`), and its first interface. */
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
