/**
 * The links of a switch that is on two nodes while it moves, at its neighbours. Each place has MAC addresses of its
 * own: a neighbour chooses the place by the address that it sends to.
 */
import type { NodeName, RouterName } from '../../model/names.ts';
import { isSwitch } from '../../model/router.ts';
import { type Instance, type LinkEnd, moveRouter } from '../../planning/instance.ts';
import { linksOf } from '../../planning/neighbourhood.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import { append, type Batches, type Layout } from './batches.ts';
import { namespaceOf, vifUp } from './operations.ts';
import { startSwitch } from './routers.ts';
import { tunnelEnd } from './tunnel.ts';

/**
 * Makes the neighbours' tunnels lead to the switch's place on the node where `instance` has it. With `other`, they also
 * lead to its place there, by its MAC addresses there, and accept packets from both.
 */
export function leadTo(layout: Layout, instance: Instance, router: RouterName, other?: NodeName): Batches {
  const batches: Batches = new Map();
  const there = linksOf(other === undefined ? instance : moveRouter(instance, router, other), router);
  linksOf(instance, router).forEach(({ link: { tunnel, vni }, own, peer }, index) => {
    if (tunnel === 'local') throw new Error(`link ${vni} does not join two nodes`);
    const end = tunnelEnd(layout, { tunnel, vni, slot: instance.slot, alsoOn: other }, peer, own);
    const alsoMac = other === undefined ? undefined : there[index]!.own.mac;
    append(batches, peer.node, {
      ...end,
      ...namespaceAt(layout, instance, peer),
      ...(alsoMac === undefined ? {} : { alsoMac }),
    } as OperationInput);
  });
  return batches;
}

/** Makes the neighbours send to the MAC addresses that the switch has in `instance`, from their stacks and entries. */
export function sendInto(layout: Layout, instance: Instance, router: RouterName): Batches {
  const batches: Batches = new Map();
  for (const { own, peer } of linksOf(instance, router)) {
    const { namespace } = namespaceAt(layout, instance, peer);
    const mode = peer.router === undefined ? { urpf: layout.urpf } : {};
    append(batches, peer.node, vifUp(peer, own, namespace, mode));
  }
  for (const { name, node } of switchesBeside(layout, instance, router))
    append(batches, node, startSwitch(layout, instance, name));
  return batches;
}

/** The neighbours that are switches, each once. */
export function switchesBeside(
  { vn }: Pick<Layout, 'vn'>,
  instance: Instance,
  router: RouterName,
): { readonly name: RouterName; readonly node: NodeName }[] {
  const found = new Map<RouterName, NodeName>();
  for (const { peer } of linksOf(instance, router))
    if (peer.router !== undefined && isSwitch({ routers: vn.routers }, peer.router)) found.set(peer.router, peer.node);
  return [...found].map(([name, node]) => ({ name, node }));
}

function namespaceAt({ names }: Pick<Layout, 'names'>, instance: Instance, { router }: LinkEnd) {
  return router === undefined ? {} : { namespace: namespaceOf(instance, router, names) };
}
