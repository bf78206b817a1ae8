/**
 * The routers of an instance and the tunnels between them. Removing a namespace or a tunnel also removes what is in it.
 */

import type { FlowEntry } from '../../model/flow-entry.ts';
import type { NamespaceName, RouterName } from '../../model/names.ts';
import { daemonRouter, type ImageRouter, imageRouter, isSwitch, routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { planDaemon } from '../../planning/daemons/index.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { configDisk, guestPorts } from '../../planning/machines/config-disk.ts';
import type { RoutingState } from '../../planning/routes.ts';
import { planSwitch } from '../../planning/switch-entries.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import { protocolsIn } from '../../vsys/daemon-config.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import { switchText } from '../../vsys/switch-config.ts';
import { append, type Batches, type Layout, mergeBatches, type NodeNames } from './batches.ts';
import { leaveGateways } from './gateways.ts';
import { namespaceOf, routeOperations, vifUp } from './operations.ts';
import { tunnelOperations } from './tunnel.ts';

/** A trial of a move has only some of the VN's routers. */
function placedRouters(vn: VirtualNetwork, { placement }: Instance): RouterName[] {
  return routerNames(vn).filter((router) => placement.has(router));
}

/**
 * Step 2: the routers' namespaces, the tunnels between them and to the gateways, their addresses, and their daemons or
 * machines.
 */
export function setUpRouters(layout: Layout, instance: Instance): Batches {
  return mergeBatches(placeRouters(layout, instance), startPrograms(layout, instance));
}

/** The same without what runs in the namespaces. */
function placeRouters(layout: Layout, instance: Instance): Batches {
  const { vn, names, urpf } = layout;
  const batches: Batches = new Map();
  for (const router of placedRouters(vn, instance)) {
    const node = instance.placement.get(router)!;
    append(batches, node, { op: 'netns_up', namespace: namespaceOf(instance, router, names), urpf });
  }
  for (const link of instance.links) {
    for (const [node, operation] of tunnelOperations(layout, instance, link, 'router'))
      append(batches, node, operation);
  }
  for (const link of instance.links) {
    for (const [end, peer] of [
      [link.a, link.b],
      [link.b, link.a],
    ] as const) {
      // The guest of a machine has the addresses of its links.
      if (end.router === undefined || imageRouter(vn, end.router) !== undefined) continue;
      const pointToPoint = daemonRouter(vn, end.router) !== undefined;
      append(batches, end.node, vifUp(end, peer, namespaceOf(instance, end.router, names), { pointToPoint }));
    }
  }
  return batches;
}

/** The daemons, switches and machines of the routers, whose interfaces are there. */
function startPrograms(layout: Layout, instance: Instance): Batches {
  const { vn } = layout;
  const batches: Batches = new Map();
  for (const router of placedRouters(vn, instance)) {
    const node = instance.placement.get(router)!;
    if (isSwitch(vn, router)) append(batches, node, startSwitch(layout, instance, router));
    else if (daemonRouter(vn, router) !== undefined) append(batches, node, startDaemon(layout, instance, router));
    const image = imageRouter(vn, router);
    if (image !== undefined) append(batches, node, startMachine(layout, instance, image));
  }
  return batches;
}

/** Starts the virtual machine of a router; its image must be on the node. */
export function startMachine(
  layout: Layout,
  instance: Instance,
  router: ImageRouter,
): Extract<OperationInput, { op: 'machine_up' }> {
  const { name, config } = router;
  return {
    op: 'machine_up',
    namespace: namespaceOf(instance, name, layout.names),
    image: config.digest,
    memoryMib: config.memoryMib,
    console: config.console,
    mtu: layout.mtu,
    ports: guestPorts(instance, name).map(({ own, peer }) => ({
      interface: own.interface,
      mac: own.mac,
      address: own.address,
      peer: { address: peer.address, mac: peer.mac },
    })),
    files: configDisk(layout, instance, router, layout.mtu),
  };
}

/** Starts the daemon of a router. Throws VnmError `invalid-input` for a router without one. */
export function startDaemon(
  layout: Layout,
  instance: Instance,
  router: RouterName,
): Extract<OperationInput, { op: 'daemon_up' }> {
  const { kind, config } = planDaemon(layout, instance, router);
  const namespace = namespaceOf(instance, router, layout.names);
  return { op: 'daemon_up', namespace, kind, protocols: protocolsIn(kind, config), config };
}

/** Makes the switch have its ports and entries. `isMeant`: which of the entries. */
export function startSwitch(
  layout: Pick<Layout, 'vn' | 'access' | 'names'>,
  instance: Instance,
  router: RouterName,
  isMeant: (entry: FlowEntry) => boolean = () => true,
): Extract<OperationInput, { op: 'daemon_up' }> {
  const { ports, entries } = planSwitch(layout, instance, router);
  const namespace = namespaceOf(instance, router, layout.names);
  return {
    op: 'daemon_up',
    namespace,
    kind: 'openvswitch',
    config: switchText({ ports, entries: entries.filter(isMeant) }),
  };
}

/** Step 3: adds or deletes the forwarding entries of the routers. */
export function installRoutes(
  routes: RoutingState,
  instance: Instance,
  names: NodeNames,
  action: 'add' | 'delete' = 'add',
): Batches {
  const batches: Batches = new Map();
  for (const [router, entries] of routes) {
    const namespace = namespaceOf(instance, router, names);
    for (const operation of routeOperations(action, entries, namespace))
      append(batches, instance.placement.get(router)!, operation);
  }
  return batches;
}

/**
 * Sets up each moving router on the node that it moves to. Leaves out the links whose kind the move changes, since the
 * names of their ends are in use, and the routes over them.
 */
export function setUpSecondPlaces(layout: Layout, instance: Instance, routes: RoutingState): Batches {
  const places = [...(instance.moving ?? [])].map(([router, node]) => {
    const moved = moveRouter(instance, router, node);
    const links = moved.links.filter(({ tunnel }, index) => tunnel === instance.links[index]!.tunnel);
    const vn = { ...layout.vn, routers: layout.vn.routers.filter(({ name }) => name === router) };
    const interfaces = new Set(links.flatMap(({ a, b }) => [a.interface, b.interface]));
    const usable = (routes.get(router) ?? []).filter(({ nexthops }) =>
      nexthops.every((hop) => interfaces.has(hop.interface)),
    );
    // A router never has two control planes.
    const own = mergeBatches(
      placeRouters({ ...layout, vn }, { ...moved, links }),
      installRoutes(new Map([[router, usable]]), moved, layout.names),
    );
    const isPart = isOf(namespaceOf(moved, router, layout.names));
    // A router never has two control planes; a switch has none.
    const start = isSwitch(vn, router) ? [startSwitch(layout, moved, router)] : [];
    const parts = [...(own.get(node) ?? []).filter(isPart), ...start];
    return new Map([[node, parts]]);
  });
  return mergeBatches(...places);
}

function isOf(namespace: NamespaceName): (operation: OperationInput) => boolean {
  return (operation) => 'namespace' in operation && operation.namespace === namespace;
}

/** Takes down the routers of an instance, with everything in their namespaces. */
export function tearDownRouters({ vn, names }: Pick<Layout, 'vn' | 'names'>, instance: Instance): Batches {
  const batches: Batches = new Map();
  for (const router of placedRouters(vn, instance)) {
    const node = instance.moving?.get(router);
    for (const place of node === undefined ? [instance] : [instance, moveRouter(instance, router, node)]) {
      const namespace = namespaceOf(place, router, names);
      append(batches, place.placement.get(router)!, { op: 'netns_down', namespace });
    }
  }
  return batches;
}

/** Takes down an instance, the gateways' links first. No group may use it any more. */
export function tearDownInstance(layout: Pick<Layout, keyof VnPlan | 'names'>, instance: Instance): Batches {
  return mergeBatches(leaveGateways(layout, instance), tearDownRouters(layout, instance));
}
