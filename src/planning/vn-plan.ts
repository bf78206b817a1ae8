/** Plans what a VN keeps for its lifetime, across instances and placements. */

import { formatAddress } from '../model/address.ts';
import { nodeTunnelOf } from '../model/dataplane.ts';
import { accessInterface, accessVni, memberNexthop, peerGroup, sliceIds } from '../model/ids.ts';
import type { GatewayName, NodeName } from '../model/names.ts';
import { accessAddresses } from '../model/room.ts';
import { type Gateway, gatewayOf, type Slice, type VirtualNetwork } from '../model/slice.ts';
import type { NodeTunnelKind } from '../model/tunnel.ts';
import { addresses, type LinkEnd } from './instance.ts';

/** The plan of a VN, made once per command. */
export interface VnPlan {
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
  /** In the order of the end hosts. */
  readonly access: readonly AccessLink[];
  readonly gateways: readonly GatewayPlan[];
}

/** The link between an end host and its gateway. */
export interface AccessLink {
  readonly endHost: string;
  readonly gateway: GatewayName;
  readonly tunnel: NodeTunnelKind;
  readonly vni: number;
  /** `a.b.c.d/31`, which other gateways route. */
  readonly prefix: string;
  readonly gatewayEnd: AccessEnd;
  readonly hostEnd: AccessEnd;
}

type AccessEnd = Pick<LinkEnd, 'node' | 'interface' | 'address' | 'mac'>;

export interface GatewayPlan extends Gateway {
  /** Unique within the slice; part of the ids of its nexthops. */
  readonly number: number;
  /** One nexthop group for each other gateway that has end hosts. */
  readonly groups: readonly PeerGroup[];
}

interface PeerGroup {
  /** Name of the other gateway. */
  readonly peer: GatewayName;
  /** The same id at every gateway. */
  readonly id: number;
  /** The prefixes of the end hosts behind the peer. */
  readonly prefixes: readonly string[];
}

/** Plans a VN. Pure: the same input gives the same plan. */
export function planVn(slice: Slice, vn: VirtualNetwork): VnPlan {
  const access = planAccess(slice, vn);
  const offset = firstIndex(slice, vn, (other) => other.gateways.length);
  const ids = sliceIds(slice);
  const groups = vn.gateways.map(({ name }, index): PeerGroup => {
    const prefixes = access.filter(({ gateway }) => gateway === name).map(({ prefix }) => prefix);
    return { peer: name, id: peerGroup(ids, offset + index), prefixes };
  });
  const gateways = vn.gateways.map((gateway, index): GatewayPlan => {
    const others = groups.filter(({ peer, prefixes }) => peer !== gateway.name && prefixes.length > 0);
    return { ...gateway, number: offset + index, groups: others };
  });
  return { slice, vn, access, gateways };
}

/** The id of the nexthop from a gateway into the instance in `slot`. */
export function nexthopInto({ slice }: Pick<VnPlan, 'slice'>, gateway: GatewayPlan, slot: number): number {
  return memberNexthop(sliceIds(slice), slot, gateway.number);
}

/** The links are always tunnels between nodes, because an end host is never on its gateway's node. */
function planAccess(slice: Slice, vn: VirtualNetwork): AccessLink[] {
  const ids = sliceIds(slice);
  const tunnel = nodeTunnelOf(slice, vn);
  const offset = firstIndex(slice, vn, (other) => other.endHosts.length);
  return vn.endHosts.map((endHost, position) => {
    const index = offset + position;
    const { gateway, host } = accessAddresses(slice, index);
    const end = (node: NodeName, address: number, side: 'gateway' | 'host') => ({
      node,
      interface: accessInterface(ids, index, side),
      ...addresses(tunnel, address),
    });
    return {
      endHost: endHost.name,
      gateway: endHost.gateway,
      tunnel,
      vni: accessVni(ids, index),
      prefix: `${formatAddress(gateway)}/31`,
      gatewayEnd: end(gatewayOf(vn, endHost.gateway).node, gateway, 'gateway'),
      hostEnd: end(endHost.node, host, 'host'),
    };
  });
}

/** The index of a VN's first object in a numbering across all VNs of the slice. */
function firstIndex(slice: Slice, vn: VirtualNetwork, count: (vn: VirtualNetwork) => number): number {
  const position = slice.vns.findIndex((other) => other.name === vn.name);
  return slice.vns.slice(0, position).reduce((sum, other) => sum + count(other), 0);
}
