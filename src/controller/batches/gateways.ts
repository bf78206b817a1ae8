/** The gateways' part of an instance, and the nexthop groups that choose an instance. */
import { gatewayLink, type Instance, type InstanceLink } from '../../planning/instance.ts';
import { type GatewayPlan, nexthopInto, type VnPlan } from '../../planning/vn-plan.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import { append, type Batches, type Layout } from './batches.ts';
import { vifUp } from './operations.ts';
import { tunnelOperations } from './tunnel.ts';

/** The gateways that an instance has, with their links; a trial of a move has only some. */
function joined({ gateways }: VnPlan, instance: Instance): { gateway: GatewayPlan; link: InstanceLink }[] {
  return gateways.flatMap((gateway) => {
    const link = instance.links.find(({ a }) => a.gateway === gateway.name);
    return link === undefined ? [] : [{ gateway, link }];
  });
}

/** Step 4: the gateways' ends of the overlay links, and the nexthop that leads into the instance. */
export function joinGateways(layout: Layout, instance: Instance): Batches {
  const batches: Batches = new Map();
  for (const { gateway, link } of joined(layout, instance)) {
    for (const [node, operation] of tunnelOperations(layout, instance, link, 'gateway'))
      append(batches, node, operation);
    const { interface: name } = link.a;
    const id = nexthopInto(layout, gateway, instance.slot);
    append(batches, gateway.node, vifUp(link.a, link.b, undefined, { urpf: layout.urpf }));
    append(batches, gateway.node, instanceRoute('add', instance, link));
    append(batches, gateway.node, { op: 'nexthop_up', id, via: link.b.address, interface: name });
  }
  return batches;
}

/** Undoes `joinGateways`. No group may use the instance any more. */
export function leaveGateways(plan: VnPlan, instance: Instance): Batches {
  const batches: Batches = new Map();
  for (const { gateway, link } of joined(plan, instance)) {
    append(batches, gateway.node, instanceRoute('delete', instance, link));
    append(batches, gateway.node, { op: 'nexthop_down', id: nexthopInto(plan, gateway, instance.slot) });
    append(batches, gateway.node, { op: 'tunnel_down', interface: link.a.interface });
  }
  return batches;
}

/** Sets the reverse-path check of existing links: the gateways' links into an instance, and the access links. */
export function setUrpf({ gateways, access, urpf }: Omit<Layout, 'names' | 'mtu'>, instance: Instance): Batches {
  const batches: Batches = new Map();
  for (const gateway of gateways) {
    const { a, b } = gatewayLink(instance, gateway.name);
    append(batches, gateway.node, vifUp(a, b, undefined, { urpf }));
  }
  for (const { gatewayEnd, hostEnd } of access) {
    append(batches, gatewayEnd.node, vifUp(gatewayEnd, hostEnd, undefined, { urpf }));
    append(batches, hostEnd.node, vifUp(hostEnd, gatewayEnd, undefined, { urpf }));
  }
  return batches;
}

/**
 * Sets the nexthop groups of the gateways, one per peer: from which instances packets are accepted, and into which one
 * they are sent. Under strict uRPF that is the same instance; under loose uRPF the check does not depend on it. Groups
 * are resilient on every node that supports them, since the kernel never changes the kind of a group in use.
 */
export function setGroups(layout: Layout, accepted: readonly Instance[], active: Instance): Batches {
  const { gateways, names, urpf } = layout;
  const batches: Batches = new Map();
  for (const gateway of gateways) {
    const nexthop = ({ slot }: Instance) => nexthopInto(layout, gateway, slot);
    const [members, into] = [urpf === 'feasible' ? accepted.map(nexthop) : [nexthop(active)], nexthop(active)];
    const resilient = names.resilient(gateway.node);
    for (const { id } of gateway.groups) {
      append(batches, gateway.node, { op: 'group_up', id, members, active: into, resilient });
    }
  }
  return batches;
}

/** Removes the groups of a VN's gateways. No route may use them any more. */
export function removeGroups({ gateways }: VnPlan): Batches {
  const batches: Batches = new Map();
  for (const { node, groups } of gateways) {
    for (const { id } of groups) append(batches, node, { op: 'group_down', id });
  }
  return batches;
}

/** The gateways' routes to the end hosts behind their peers, each over the peer's group. */
export function peerRoutes({ gateways }: VnPlan, action: 'add' | 'delete'): Batches {
  const batches: Batches = new Map();
  for (const { node, groups } of gateways) {
    for (const { id, prefixes } of groups) {
      for (const prefix of prefixes) append(batches, node, { op: 'vroute', action, prefix, nexthopId: id });
    }
  }
  return batches;
}

/** The route to all addresses of an instance, from a gateway over its link into that instance. */
function instanceRoute(action: 'add' | 'delete', instance: Instance, link: InstanceLink): OperationInput {
  return {
    op: 'vroute',
    action,
    prefix: instance.block,
    nexthops: [{ interface: link.a.interface, via: link.b.address }],
    source: link.a.address,
  };
}
