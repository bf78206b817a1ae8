/** A router that is on two nodes while it moves, and the ends of its links at its neighbours. */
import type { NodeName, RouterName } from '../../model/names.ts';
import { isSwitch } from '../../model/router.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { endName, linksOf } from '../../planning/neighbourhood.ts';
import { isFlowEntry } from '../../planning/switch-entries.ts';
import type { ControlGate, OperationInput } from '../../vsys/operations.ts';
import { append, type Batches, type Layout, mergeBatches } from './batches.ts';
import { namespaceOf } from './operations.ts';
import { setUpSecondPlaces, startSwitch } from './routers.ts';
import { tunnelEnd } from './tunnel.ts';

/** Sets up the moving router on the node that it moves to, without routes; a switch without the entries of flows. */
export function setUpNewPlace(layout: Layout, instance: Instance, router: RouterName, node: NodeName): Batches {
  const batches = setUpSecondPlaces(layout, { ...instance, moving: new Map([[router, node]]) }, new Map());
  if (!isSwitch(layout.vn, router)) return batches;
  const withoutFlows = startSwitch(layout, moveRouter(instance, router, node), router, (entry) => !isFlowEntry(entry));
  const isStart = ({ op }: OperationInput) => op === 'daemon_up';
  return new Map([...batches].map(([at, all]) => [at, all.map((one) => (isStart(one) ? withoutFlows : one))]));
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

/**
 * Makes the router's place on `left` send on the OSPF packets that arrive there, to its place on `kept`. Its neighbours
 * still send to `left`, but its daemon is about to be on `kept`.
 */
export function sendControlOn(
  { names }: Layout,
  instance: Instance,
  router: RouterName,
  left: NodeName,
  kept: NodeName,
): Batches {
  const namespace = namespaceOf(moveRouter(instance, router, left), router, names);
  return new Map([[left, [{ op: 'control_up', namespace, sendTo: names.address(kept) }]]]);
}

/**
 * Makes the router's place on `kept` accept what its place on `left` sends on. `gate`: whether it holds OSPF packets,
 * or lets out what it held.
 */
export function takeControlFrom(
  layout: Layout,
  instance: Instance,
  router: RouterName,
  kept: NodeName,
  left: NodeName,
  gate: ControlGate,
): Batches {
  const { namespace, ends } = ownEnds(layout, instance, router, kept, left);
  const packets: OperationInput =
    gate === 'none' ? { op: 'control_down', namespace } : { op: 'control_up', namespace, gate };
  return new Map([[kept, [...ends, packets]]]);
}

/** Ends both at the router's place on `kept`, where it is alone now. */
export function takeControlFromNone(layout: Layout, instance: Instance, router: RouterName, kept: NodeName): Batches {
  const { namespace, ends } = ownEnds(layout, instance, router, kept);
  return new Map([[kept, [{ op: 'control_down', namespace }, ...ends]]]);
}

/** The ends of the router's tunnels at its place on a node. With `other`, they also accept packets from there. */
function ownEnds(layout: Layout, instance: Instance, router: RouterName, node: NodeName, other?: NodeName) {
  const place = moveRouter(instance, router, node);
  const namespace = namespaceOf(place, router, layout.names);
  const ends = linksOf(place, router).flatMap(({ link: { tunnel, vni }, own, peer }) =>
    tunnel === 'local'
      ? []
      : [{ ...tunnelEnd(layout, { tunnel, vni, slot: place.slot, alsoOn: other }, own, peer), namespace }],
  );
  return { namespace, ends };
}

/** Takes down the router's place on a node, with everything in it. */
export function removePlace({ names }: Pick<Layout, 'names'>, instance: Instance, router: RouterName, node: NodeName) {
  const place = moveRouter(instance, router, node);
  return new Map([[node, [{ op: 'netns_down' as const, namespace: namespaceOf(place, router, names) }]]]);
}
