/**
 * Which operations each node gets: an instance, an access link or a redirection group as batches for the agents. Pure.
 * The inverse of each set-up is short, since taking a namespace or a tunnel down takes down what is in it.
 */
import { peerGroup, routerNamespace, sliceIds } from '../model/ids.ts';
import type { Route, UrpfMode } from '../model/route.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import {
  type AccessLink,
  gatewayIndex,
  gatewayLink,
  type Instance,
  type InstanceLink,
  instanceNexthop,
  type LinkEnd,
} from '../planning/instance.ts';
import type { OperationInput } from '../vsys/operations.ts';

/** Batches by node. */
export type Batches = Map<string, OperationInput[]>;

/** What the planned names need from the nodes: where tunnel packets go, and the policy's prefix for namespaces. */
export interface NodeNames {
  address(node: string): string;
  namespacePrefix(node: string): string;
  /** Whether the node's kernel has resilient nexthop groups. */
  resilient(node: string): boolean;
  /** Whether the node can hold traffic by gates. */
  gates(node: string): boolean;
}

export const vxlanPort = 4789;
/** Bytes that VXLAN over IPv4 adds to a packet: outer IPv4 and UDP, VXLAN, inner Ethernet. */
export const vxlanOverhead = 50;

/** Step 2: namespaces of the routers, tunnels between them and towards the gateways, and their addresses. */
export function setUpRouters(
  vn: VirtualNetwork,
  instance: Instance,
  names: NodeNames,
  mtu: number,
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const router of vn.routers) {
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
  for (const router of vn.routers) {
    const namespace = namespaceOf(instance, router, names);
    append(batches, instance.placement.get(router)!, { op: 'netns_down', namespace });
  }
  return batches;
}

/** Takes an instance down, gateways' links first. The groups must have left it before. */
export function tearDownInstance(slice: Slice, vn: VirtualNetwork, instance: Instance, names: NodeNames): Batches {
  return mergeBatches(leaveGateways(slice, vn, instance), tearDownRouters(vn, instance, names));
}

/** Step 4: the gateways' ends of the overlay links, and the nexthop that leads into the instance. */
export function joinGateways(
  slice: Slice,
  vn: VirtualNetwork,
  instance: Instance,
  names: NodeNames,
  mtu: number,
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    const link = gatewayLink(instance, gateway.name);
    for (const [node, operation] of tunnelOperations(link, instance, names, mtu, 'gateway'))
      append(batches, node, operation);
    const { interface: name } = link.a;
    const id = instanceNexthop(slice, vn, instance.slot, gateway.name);
    append(batches, gateway.node, vifUp(link.a, link.b, undefined, urpf));
    append(batches, gateway.node, instanceRoute('add', instance, link));
    append(batches, gateway.node, { op: 'nexthop_up', id, via: link.b.address, interface: name });
  }
  return batches;
}

/** Undoes `joinGateways`. The groups must have left the instance before. */
export function leaveGateways(slice: Slice, vn: VirtualNetwork, instance: Instance): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    const link = gatewayLink(instance, gateway.name);
    append(batches, gateway.node, instanceRoute('delete', instance, link));
    append(batches, gateway.node, {
      op: 'nexthop_down',
      id: instanceNexthop(slice, vn, instance.slot, gateway.name),
    });
    append(batches, gateway.node, { op: 'tunnel_down', interface: link.a.interface });
  }
  return batches;
}

/** The reverse-path check of what is there already: the gateways' links into an instance, and the access links. */
export function setUrpf(
  vn: VirtualNetwork,
  instance: Instance,
  access: readonly AccessLink[],
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    const { a, b } = gatewayLink(instance, gateway.name);
    append(batches, gateway.node, vifUp(a, b, undefined, urpf));
  }
  for (const { gatewayEnd, hostEnd } of access) {
    append(batches, gatewayEnd.node, vifUp(gatewayEnd, hostEnd, undefined, urpf));
    append(batches, hostEnd.node, vifUp(hostEnd, gatewayEnd, undefined, urpf));
  }
  return batches;
}

/**
 * The nexthop groups of the gateways, one per peer: which instances are accepted and which one is taken. Under strict uRPF
 * that is one and the same; under loose uRPF the check does not depend on it. Groups are resilient wherever the node has
 * that kind, since the kernel never changes the kind of a group in use.
 */
export function setGroups(
  slice: Slice,
  vn: VirtualNetwork,
  names: NodeNames,
  accepted: readonly Instance[],
  active: Instance,
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    const nexthop = (instance: Instance) => instanceNexthop(slice, vn, instance.slot, gateway.name);
    for (const id of groupsOf(slice, vn, gateway.name)) {
      append(batches, gateway.node, {
        op: 'group_up',
        id,
        members: urpf === 'feasible' ? accepted.map(nexthop) : [nexthop(active)],
        active: nexthop(active),
        resilient: names.resilient(gateway.node),
      });
    }
  }
  return batches;
}

/** Ids of the groups at a gateway, one per other gateway of its VN that has end hosts. */
export function groupsOf(slice: Slice, vn: VirtualNetwork, gateway: string): number[] {
  return peersOf(vn, gateway).map((peer) => groupTo(slice, vn, peer));
}

/** Id of the group for all that is behind a gateway, the same at each of its peers. */
export function groupTo(slice: Slice, vn: VirtualNetwork, peer: string): number {
  return peerGroup(sliceIds(slice.number), gatewayIndex(slice, vn, peer));
}

/** End hosts with their gateways, and the gateways' routes to what is behind their peers. Stays while instances change. */
export function setUpAccess(
  vn: VirtualNetwork,
  access: readonly AccessLink[],
  names: NodeNames,
  mtu: number,
  urpf: UrpfMode,
): Batches {
  const batches: Batches = new Map();
  for (const node of new Set([...vn.gateways, ...vn.endHosts].map((place) => place.node))) {
    append(batches, node, { op: 'rule_up' });
  }
  for (const link of access) {
    for (const [own, peer] of [
      [link.gatewayEnd, link.hostEnd],
      [link.hostEnd, link.gatewayEnd],
    ] as const) {
      append(batches, own.node, {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: own.interface,
        mac: own.mac,
        mtu,
        vni: link.vni,
        remote: names.address(peer.node),
        port: vxlanPort,
        gateable: own === link.gatewayEnd && names.gates(own.node),
      });
      append(batches, own.node, vifUp(own, peer, undefined, urpf));
    }
    for (const route of hostRoutes(link, access)) append(batches, link.hostEnd.node, routeOperation('add', route));
  }
  return batches;
}

/** The gateways' routes to the end hosts behind their peers, each over the peer's group. */
export function peerRoutes(
  slice: Slice,
  vn: VirtualNetwork,
  access: readonly AccessLink[],
  action: 'add' | 'delete',
): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    for (const peer of peersOf(vn, gateway.name)) {
      const nexthopId = groupTo(slice, vn, peer);
      for (const link of access.filter((candidate) => candidate.gateway === peer)) {
        append(batches, gateway.node, { op: 'vroute', action, prefix: link.prefix, nexthopId });
      }
    }
  }
  return batches;
}

/** Undoes `setUpAccess`; the rules go with the last VN of the slice on a node (`lastOn`). */
export function tearDownAccess(
  vn: VirtualNetwork,
  access: readonly AccessLink[],
  lastOn: (node: string) => boolean,
): Batches {
  const batches: Batches = new Map();
  for (const link of access) {
    append(batches, link.gatewayEnd.node, { op: 'tunnel_down', interface: link.gatewayEnd.interface });
    append(batches, link.hostEnd.node, { op: 'tunnel_down', interface: link.hostEnd.interface });
  }
  for (const node of new Set([...vn.gateways, ...vn.endHosts].map((place) => place.node))) {
    if (lastOn(node)) append(batches, node, { op: 'rule_down' });
  }
  return batches;
}

/** Gates at the gateways' ends of access links, open until told to close. `bytes`: room of each gateway's gates. */
export function setUpGates(access: readonly AccessLink[], bytes: ReadonlyMap<string, number>): Batches {
  const batches: Batches = new Map();
  for (const { gateway, gatewayEnd } of access) {
    const limitBytes = bytes.get(gateway);
    if (limitBytes === undefined) continue;
    append(batches, gatewayEnd.node, { op: 'gate_up', interface: gatewayEnd.interface, limitBytes });
  }
  return batches;
}

export function removeGates(access: readonly AccessLink[]): Batches {
  const batches: Batches = new Map();
  for (const { gatewayEnd } of access)
    append(batches, gatewayEnd.node, { op: 'gate_down', interface: gatewayEnd.interface });
  return batches;
}

/** Takes the groups of a VN's gateways away; no route may use them any more. */
export function removeGroups(slice: Slice, vn: VirtualNetwork): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    for (const id of groupsOf(slice, vn, gateway.name)) append(batches, gateway.node, { op: 'group_down', id });
  }
  return batches;
}

/** One batch per node: first all of the first, then all of the second, and so on. */
export function mergeBatches(...parts: readonly Batches[]): Batches {
  const merged: Batches = new Map();
  for (const part of parts) {
    for (const [node, operations] of part) append(merged, node, ...operations);
  }
  return merged;
}

/** The kernel's name of a router's namespace on the node where the instance has it. */
export function namespaceOf(instance: Instance, router: string, names: NodeNames): string {
  return routerNamespace(names.namespacePrefix(instance.placement.get(router)!), instance.slot, router);
}

/** Gateways with end hosts, other than this one. */
export function peersOf(vn: VirtualNetwork, gateway: string): string[] {
  const used = new Set(vn.endHosts.map((endHost) => endHost.gateway));
  return vn.gateways.map((peer) => peer.name).filter((peer) => peer !== gateway && used.has(peer));
}

/** An end host reaches each other one of its VN through its gateway. */
function hostRoutes(link: AccessLink, access: readonly AccessLink[]): Route[] {
  return access
    .filter((other) => other.endHost !== link.endHost)
    .map((other) => ({
      prefix: other.prefix,
      type: 'unicast',
      nexthops: [{ interface: link.hostEnd.interface, via: link.gatewayEnd.address, weight: 1 }],
      source: link.hostEnd.address,
      protocol: '',
    }));
}

/** All addresses of an instance, reached from a gateway over its link into that instance. */
function instanceRoute(action: 'add' | 'delete', instance: Instance, link: InstanceLink): OperationInput {
  return {
    op: 'vroute',
    action,
    prefix: instance.block,
    nexthops: [{ interface: link.a.interface, via: link.b.address }],
    source: link.a.address,
  };
}

function routeOperation(action: 'add' | 'delete', route: Route, namespace?: string): OperationInput {
  const { prefix, type, nexthops, nexthopId, metric, source } = route;
  return {
    op: 'vroute',
    action,
    prefix,
    type,
    nexthops: nexthops.map((nexthop) => ({ ...nexthop })),
    ...(namespace === undefined ? {} : { namespace }),
    ...(nexthopId === undefined ? {} : { nexthopId }),
    ...(metric === undefined ? {} : { metric }),
    ...(source === undefined ? {} : { source }),
  };
}

function vifUp(
  end: { interface: string; address: string },
  peer: { address: string; mac: string },
  namespace: string | undefined,
  urpf?: UrpfMode,
): OperationInput {
  return {
    op: 'vif_up',
    interface: end.interface,
    address: end.address,
    peer: { address: peer.address, mac: peer.mac },
    ...(namespace === undefined ? {} : { namespace }),
    ...(urpf === undefined ? {} : { urpf }),
  };
}

/**
 * The tunnel's ends as one side's batch makes them: routers make theirs first, gateways join later. On one node both ends
 * come at once, with the router's.
 */
function* tunnelOperations(
  link: InstanceLink,
  instance: Instance,
  names: NodeNames,
  mtu: number,
  side: 'router' | 'gateway',
): Generator<[string, OperationInput]> {
  const namespace = (end: LinkEnd) =>
    end.router === undefined ? {} : { namespace: namespaceOf(instance, end.router, names) };
  if (link.a.node === link.b.node) {
    const { interface: peerName, mac: peerMac } = link.b;
    if (side === 'gateway') return;
    yield [
      link.a.node,
      {
        op: 'tunnel_up',
        kind: 'local',
        interface: link.a.interface,
        mac: link.a.mac,
        mtu,
        peer: { interface: peerName, mac: peerMac, ...namespace(link.b) },
        ...namespace(link.a),
      },
    ];
    return;
  }
  for (const [end, peer] of [
    [link.a, link.b],
    [link.b, link.a],
  ] as const) {
    if ((end.gateway === undefined ? 'router' : 'gateway') !== side) continue;
    yield [
      end.node,
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: end.interface,
        mac: end.mac,
        mtu,
        vni: link.vni,
        remote: names.address(peer.node),
        port: vxlanPort,
        ...namespace(end),
      },
    ];
  }
}

function append(batches: Batches, node: string, ...operations: readonly OperationInput[]): void {
  const batch = batches.get(node) ?? [];
  for (const operation of operations) batch.push(operation);
  batches.set(node, batch);
}
