/** Further routes in the routers of a VN, as somebody could have added them. */
import { installRoutes } from '../../controller/batches/routers.ts';
import { instanceOf } from '../../controller/inside/access.ts';
import { applyAll, withAgents } from '../../controller/nodes/agents.ts';
import { formatAddress, sizeOf } from '../../model/address.ts';
import { accessSize, blockSize } from '../../model/room.ts';
import type { Route } from '../../model/route.ts';
import { daemonRouter, routerNames } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { sides } from '../../planning/routes.ts';
import type { InstalledVn } from './parameter.ts';

/** The addresses of the slice's subnet that neither end hosts use, nor the two instances of each VN. */
function freeAddresses({ vnet, vns }: Slice): { readonly first: number; readonly count: number } {
  const access = accessSize(vns);
  const used = access + 2 * vns.length * blockSize(vns);
  return { first: vnet.base + access, count: Math.max(0, sizeOf(vnet) - used) };
}

/** Says why the routers of this VN cannot have so many further routes; undefined if they can. */
export function refusePrefixes(wanted: number, slice: Slice, vn: VirtualNetwork): string | undefined {
  const { count } = freeAddresses(slice);
  if (wanted > count) return `the subnet of slice '${slice.name}' has room for ${count} prefixes, not for ${wanted}`;
  const router = routerNames(vn).find((name) => daemonRouter(vn, name) !== undefined);
  if (router !== undefined && wanted > 0) return `router '${router}' has a routing daemon, which makes its routes`;
  return undefined;
}

/** Adds the routes to every router, over its first link. They go with the VN. */
export async function addPrefixes(count: number, { kept: context, slice, vn }: InstalledVn): Promise<undefined> {
  const instance = instanceOf(context, slice, vn);
  const { first } = freeAddresses(slice);
  const prefixes = Array.from({ length: count }, (_, index) => `${formatAddress(first + index)}/32`);
  const state = routerNames(vn).flatMap((router) => {
    const link = instance.links.find(({ a, b }) => a.router === router || b.router === router);
    if (link === undefined) return [];
    const { own, peer } = sides(link, router);
    const nexthops = [{ interface: own.interface, via: peer.address, weight: 1 }];
    return [
      [router, prefixes.map((prefix): Route => ({ prefix, type: 'unicast', nexthops, protocol: 'static' }))],
    ] as const;
  });
  await withAgents(context, slice, instance.placement.values(), async (agents) => {
    await applyAll(agents, installRoutes(new Map(state), instance, agents), context.signal);
  });
}
