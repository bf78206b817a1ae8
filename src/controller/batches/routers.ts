/** An instance: its routers and the tunnels between them. Taking a namespace or a tunnel down takes down what is in it. */
import type { Route, UrpfMode } from '../../model/route.ts';
import { routerNames } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { append, type Batches, mergeBatches, type NodeNames } from './batches.ts';
import { leaveGateways } from './gateways.ts';
import { namespaceOf, routeOperation, vifUp } from './operations.ts';
import { tunnelOperations } from './tunnel.ts';

/** Step 2: namespaces of the routers, tunnels between them and towards the gateways, and their addresses. */
export function setUpRouters(
  vn: VirtualNetwork,
  instance: Instance,
  names: NodeNames,
  mtu: number,
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const router of routerNames(vn)) {
    const node = instance.placement.get(router)!;
    append(batches, node, { op: 'netns_up', namespace: namespaceOf(instance, router, names), urpf });
  }
  for (const link of instance.links) {
    for (const [node, operation] of tunnelOperations(link, instance, names, mtu, 'router'))
      append(batches, node, operation);
  }
  for (const link of instance.links) {
    for (const [end, peer] of [
      [link.a, link.b],
      [link.b, link.a],
    ] as const) {
      if (end.router !== undefined)
        append(batches, end.node, vifUp(end, peer, namespaceOf(instance, end.router, names)));
    }
  }
  return batches;
}

/** Step 3: the forwarding entries of the routers, or their removal. */
export function installRoutes(
  routes: ReadonlyMap<string, readonly Route[]>,
  instance: Instance,
  names: NodeNames,
  action: 'add' | 'delete' = 'add',
): Batches {
  const batches: Batches = new Map();
  for (const [router, entries] of routes) {
    const namespace = namespaceOf(instance, router, names);
    for (const route of entries)
      append(batches, instance.placement.get(router)!, routeOperation(action, route, namespace));
  }
  return batches;
}

/** Takes the routers of an instance down, with all that is in their namespaces. */
export function tearDownRouters(vn: VirtualNetwork, instance: Instance, names: NodeNames): Batches {
  const batches: Batches = new Map();
  for (const router of routerNames(vn)) {
    const namespace = namespaceOf(instance, router, names);
    append(batches, instance.placement.get(router)!, { op: 'netns_down', namespace });
  }
  return batches;
}

/** Takes an instance down, gateways' links first. The groups must have left it before. */
export function tearDownInstance(slice: Slice, vn: VirtualNetwork, instance: Instance, names: NodeNames): Batches {
  return mergeBatches(leaveGateways(slice, vn, instance), tearDownRouters(vn, instance, names));
}
