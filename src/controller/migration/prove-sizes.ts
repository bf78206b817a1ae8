/** Proves that packets of the VN's full size get through the new instance's tunnels, before anything is redirected. */
import { VnmError } from '../../model/errors.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { linksBetweenGateways } from '../../planning/paths.ts';
import { describeSizes, measureTunnels, narrowerThan, noteUnknown, tunnelsOf } from '../probe/tunnel-sizes.ts';
import type { Run } from './types.ts';

/**
 * Throws VnmError `unsupported` if a tunnel carries less than the VN's MTU, unless every path through the VN carries as
 * much as over the old instance: then nothing gets worse. Reports a size that cannot be found; the proof after the
 * redirection tries again.
 */
export async function proveSizes({ context, agents, vn, old, mtu }: Run, fresh: Instance): Promise<void> {
  const measure = async (instance: Instance) => {
    const tunnels = tunnelsOf(vn, instance, agents);
    const sizes = await measureTunnels(agents, tunnels, mtu);
    const byLink = new Map(
      sizes.flatMap(({ bytes }, index) => (bytes === undefined ? [] : [[tunnels[index]!.link, bytes]])),
    );
    return { sizes, byLink };
  };
  const { sizes, byLink } = await measure(fresh);
  noteUnknown(context, sizes, mtu);
  const narrow = narrowerThan(sizes, mtu);
  const [narrowest] = narrow;
  if (narrowest === undefined) return;
  const worse = narrowedWay(vn, (await measure(old.instance)).byLink, byLink, mtu);
  const text = `packets of VN '${vn.name}' with its full size (${mtu} bytes) do not get through the new instance: at most ${describeSizes(narrow)}`;
  if (worse === undefined) {
    context.report({ kind: 'note', text: `${text}; the old instance carries no more` });
    return;
  }
  // The error of a migration has no hint of its own.
  const wayOut = `set 'mtu: ${narrowest.bytes}' for VN '${vn.name}' in the slice file and run pl-vnm install SLICE.yaml, or widen the path`;
  const less = `${worse.name}, the old instance carries ${worse.before} bytes, the new one ${worse.after}`;
  throw new VnmError('unsupported', `${text}; ${less}; ${wayOut}`);
}

/** Bytes that get through, by index of the link; absent if unknown, or if both ends are on one node. */
type SizeByLink = ReadonlyMap<number, number>;

export interface NarrowedWay {
  /** `between gateways g1 and g2`. */
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/**
 * Returns the path between gateways, or the link on none of them, whose size has shrunk most; undefined if none has
 * shrunk. An unknown size counts as `mtu`.
 */
export function narrowedWay(
  vn: VirtualNetwork,
  before: SizeByLink,
  after: SizeByLink,
  mtu: number,
): NarrowedWay | undefined {
  const ways = linksBetweenGateways(vn);
  const used = new Set(ways.flatMap(({ links }) => links));
  const carriedBy = (sizes: SizeByLink, links: readonly number[]) =>
    Math.min(...links.map((link) => sizes.get(link) ?? mtu));
  return [
    ...ways.map(({ from, to, links }) => ({ name: `between gateways ${from} and ${to}`, links })),
    ...[...vn.links, ...vn.gateways].flatMap((_, link) =>
      used.has(link) ? [] : [{ name: nameOf(vn, link), links: [link] }],
    ),
  ]
    .map(({ name, links }) => ({ name, before: carriedBy(before, links), after: carriedBy(after, links) }))
    .filter((way) => way.after < way.before)
    .sort((one, other) => other.before - other.after - (one.before - one.after))[0];
}

function nameOf({ links, gateways }: VirtualNetwork, index: number): string {
  const link = links[index];
  if (link !== undefined) return `between routers ${link.from} and ${link.to}`;
  const gateway = gateways[index - links.length]!;
  return `between gateway ${gateway.name} and router ${gateway.router}`;
}
