/** The links between end hosts and their gateways. */

import { formatPrefix } from '../../model/address.ts';
import { accessSlot } from '../../model/ids.ts';
import type { NodeName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Slice } from '../../model/slice.ts';
import type { AccessLink, VnPlan } from '../../planning/vn-plan.ts';
import { append, type Batches, type Layout, mergeBatches } from './batches.ts';
import { forwardsDown, forwardsUp } from './forwards.ts';
import { routeOperation, vifUp } from './operations.ts';
import { tunnelEnd } from './tunnel.ts';

/**
 * The links between end hosts and gateways, the end hosts' routes over them, and their forwards. They stay while
 * instances change.
 */
export function setUpAccess(layout: Layout): Batches {
  const { slice, vn, access, names, urpf } = layout;
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
        ...tunnelEnd(layout, { ...link, slot: accessSlot }, own, peer),
        gateable: own === link.gatewayEnd && names.gates(own.node),
      });
      append(batches, own.node, vifUp(own, peer, undefined, { urpf }));
    }
    for (const route of [...hostRoutes(link, access), ...vnetRoutes(slice, link)])
      append(batches, link.hostEnd.node, routeOperation('add', route));
  }
  return mergeBatches(batches, forwardsUp(layout));
}

/** Undoes `setUpAccess`; removes the rules with the last VN of the slice on a node (`lastOn`). */
export function tearDownAccess(plan: VnPlan, lastOn: (node: NodeName) => boolean): Batches {
  const { vn, access } = plan;
  const batches = forwardsDown(plan);
  for (const link of access) {
    append(batches, link.gatewayEnd.node, { op: 'tunnel_down', interface: link.gatewayEnd.interface });
    append(batches, link.hostEnd.node, { op: 'tunnel_down', interface: link.hostEnd.interface });
  }
  for (const node of new Set([...vn.gateways, ...vn.endHosts].map((place) => place.node))) {
    if (lastOn(node)) append(batches, node, { op: 'rule_down' });
  }
  return batches;
}

/** An end host's routes to the other end hosts of its VN, through its gateway. */
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

/**
 * The route to the rest of the slice's subnet, through the gateway: ICMP messages of routers (time exceeded, no such
 * host, packet too big) then come from where the reverse-path check expects them. It has a metric of its own, since a
 * node may be an end host of several VNs. A node that is a gateway of another VN of the slice has no such route: it has
 * one table for both VNs, and would forward packets without a route in that VN into this one.
 */
function vnetRoutes(slice: Slice, { vni, gatewayEnd, hostEnd }: AccessLink): Route[] {
  if (slice.vns.some(({ gateways }) => gateways.some(({ node }) => node === hostEnd.node))) return [];
  const route: Route = {
    prefix: formatPrefix(slice.vnet),
    type: 'unicast',
    nexthops: [{ interface: hostEnd.interface, via: gatewayEnd.address, weight: 1 }],
    source: hostEnd.address,
    metric: vni,
    protocol: '',
  };
  return [route];
}
