/** A router that is on two nodes while it moves, and the ends of its links at its neighbours. */
import type { NodeName, RouterName } from '../../model/names.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { endName, linksOf } from '../../planning/neighbourhood.ts';
import { append, type Batches, type Layout, mergeBatches } from './batches.ts';
import { namespaceOf } from './operations.ts';
import { setUpSecondPlaces } from './routers.ts';
import { tunnelEnd } from './tunnel.ts';

/** Sets up the moving router on the node that it moves to, without routes. */
export function setUpNewPlace(layout: Layout, instance: Instance, router: RouterName, node: NodeName): Batches {
  return setUpSecondPlaces(layout, { ...instance, moving: new Map([[router, node]]) }, new Map());
}

/**
 * Makes the neighbours of a router send to its place on `node`. With `other`, they also accept packets from its place
 * there. One batch per link, in the order of the links.
 */
export function sendTo(
  layout: Layout,
  instance: Instance,
  router: RouterName,
  node: NodeName,
  other?: NodeName,
): { readonly neighbour: string; readonly batches: Batches }[] {
  const { names } = layout;
  return linksOf(instance, router).map(({ link, own, peer }) => {
    const batches: Batches = new Map();
    const { vni, tunnel } = link;
    if (tunnel === 'local') throw new Error(`link ${vni} does not join two nodes`);
    const namespace = peer.router === undefined ? {} : { namespace: namespaceOf(instance, peer.router, names) };
    const end = tunnelEnd(layout, { tunnel, vni, slot: instance.slot, alsoOn: other }, peer, { ...own, node });
    append(batches, peer.node, { ...end, ...namespace });
    return { neighbour: endName(peer), batches };
  });
}

/** The same for all links at once. */
export function sendAllTo(...args: Parameters<typeof sendTo>): Batches {
  return mergeBatches(...sendTo(...args).map(({ batches }) => batches));
}

/** Takes down the router's place on a node, with everything in it. */
export function removePlace({ names }: Pick<Layout, 'names'>, instance: Instance, router: RouterName, node: NodeName) {
  const place = moveRouter(instance, router, node);
  return new Map([[node, [{ op: 'netns_down' as const, namespace: namespaceOf(place, router, names) }]]]);
}
