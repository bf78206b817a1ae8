/** Packets of the VN's full size have to get through the new instance's tunnels before anything is redirected. */
import { VnmError } from '../../model/errors.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { linksBetweenGateways } from '../../planning/paths.ts';
import { describeSizes, measureTunnels, narrowerThan, noteUnknown, tunnelsOf } from '../probe/tunnel-sizes.ts';
import type { Run } from './types.ts';

/**
 * Throws VnmError `unsupported` where a tunnel carries less than the VN's MTU, unless no way through the VN carries less than over the
 * old instance: then nothing gets worse. A size that cannot be found out is noted; the proof after the redirection looks again.
 */
export async function proveSizes({ context, agents, vn, old, mtu }: Run, fresh: Instance): Promise<void> {
  const measure = async (instance: Instance) => {
    const tunnels = tunnelsOf(instance, agents);
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
  const text = `packets of ${mtu} bytes, which VN '${vn.name}' has, do not get through the new instance: at most ${describeSizes(narrow)}`;
  if (worse === undefined) {
    context.report({ kind: 'note', text: `${text}; the old instance carries no more` });
    return;
  }
  // What a migration ends with has no hint of its own.
  const wayOut = `set 'mtu: ${narrowest.bytes}' for VN '${vn.name}' in the slice file and run pl-vnm install SLICE.yaml, or widen the path`;
  const less = `${worse.name} ${worse.before} bytes get through the old instance, ${worse.after} the new one`;
  throw new VnmError('unsupported', `${text}; ${less}; ${wayOut}`);
}

/** Bytes that get through, by index of the link; absent where it is not known, or both ends are on one node. */
type SizeByLink = ReadonlyMap<number, number>;

export interface NarrowedWay {
  /** `between gateways g1 and g2`. */
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/**
 * Of the ways between gateways, and of links that are on none of them, the one that has lost most bytes; undefined where none carries
 * less. An unknown size counts as `mtu`.
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
