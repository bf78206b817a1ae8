/** What gateways have for an instance, and the nexthop groups that choose one. */
import { peerGroup, sliceIds } from '../../model/ids.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import {
  type AccessLink,
  gatewayIndex,
  gatewayLink,
  type Instance,
  type InstanceLink,
  instanceNexthop,
} from '../../planning/instance.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import { append, type Batches, type NodeNames } from './batches.ts';
import { vifUp } from './operations.ts';
import { tunnelOperations } from './tunnel.ts';

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

/** Takes the groups of a VN's gateways away; no route may use them any more. */
export function removeGroups(slice: Slice, vn: VirtualNetwork): Batches {
  const batches: Batches = new Map();
  for (const gateway of vn.gateways) {
    for (const id of groupsOf(slice, vn, gateway.name)) append(batches, gateway.node, { op: 'group_down', id });
  }
  return batches;
}

/** Ids of the groups at a gateway, one per other gateway of its VN that has end hosts. */
function groupsOf(slice: Slice, vn: VirtualNetwork, gateway: string): number[] {
  return peersOf(vn, gateway).map((peer) => groupTo(slice, vn, peer));
}

/** Id of the group for all that is behind a gateway, the same at each of its peers. */
export function groupTo(slice: Slice, vn: VirtualNetwork, peer: string): number {
  return peerGroup(sliceIds(slice.number), gatewayIndex(slice, vn, peer));
}

/** Gateways with end hosts, other than this one. */
export function peersOf(vn: VirtualNetwork, gateway: string): string[] {
  const used = new Set(vn.endHosts.map((endHost) => endHost.gateway));
  return vn.gateways.map((peer) => peer.name).filter((peer) => peer !== gateway && used.has(peer));
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
