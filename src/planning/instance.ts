import { formatAddress } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import { accessInterface, accessVni, linkInterface, linkVni, macOf, memberNexthop, sliceIds } from '../model/ids.ts';
import { accessAddresses, instanceBlock } from '../model/room.ts';
import type { Gateway, Placement, Slice, VirtualNetwork } from '../model/slice.ts';
import { type NodeTunnelKind, type TunnelKind, tunnelDescriptor } from '../model/tunnel.ts';

/** One VN on one placement: where everything is and what it is called, decided before any node is touched. */
export interface Instance {
  readonly slice: string;
  readonly vn: string;
  readonly slot: number;
  readonly placement: Placement;
  /** `a.b.c.d/n`: all addresses of the instance. */
  readonly block: string;
  /** Virtual links in the order of the slice file, then one link per gateway (end `a` is the gateway). */
  readonly links: readonly InstanceLink[];
}

export interface InstanceLink {
  readonly kind: 'virtual' | 'gateway';
  /** Decided when the instance is planned, and recorded with it. */
  readonly tunnel: TunnelKind;
  readonly vni: number;
  readonly a: LinkEnd;
  readonly b: LinkEnd;
}

export interface LinkEnd {
  readonly node: string;
  /** Exactly one of `router` and `gateway`. */
  readonly router?: string;
  readonly gateway?: string;
  readonly interface: string;
  readonly address: string;
  /** Where the kind of the tunnel has one. */
  readonly mac?: string;
}

/** The link between an end host and its gateway; it stays while instances come and go. */
export interface AccessLink {
  readonly endHost: string;
  readonly gateway: string;
  readonly tunnel: NodeTunnelKind;
  readonly vni: number;
  /** `a.b.c.d/31`: what other gateways route. */
  readonly prefix: string;
  readonly gatewayEnd: AccessEnd;
  readonly hostEnd: AccessEnd;
}

type AccessEnd = Pick<LinkEnd, 'node' | 'interface' | 'address' | 'mac'>;

/** Names, addresses and tunnels of a VN on a placement in a slot. Pure; the same input gives the same instance. */
export function planInstance(slice: Slice, vn: VirtualNetwork, placement: Placement, slot: number): Instance {
  const ids = sliceIds(slice.number);
  const block = instanceBlock(slice, slot);
  const nodeOf = (router: string): string => {
    const node = placement.get(router);
    if (node === undefined) throw new VnmError('invalid-input', `router '${router}' has no place in the placement`);
    return node;
  };
  const ends = [
    ...vn.links.map((link) => ({
      kind: 'virtual' as const,
      a: { node: nodeOf(link.from), router: link.from },
      b: { node: nodeOf(link.to), router: link.to },
    })),
    ...vn.gateways.map((gateway) => ({
      kind: 'gateway' as const,
      a: { node: gateway.node, gateway: gateway.name },
      b: { node: nodeOf(gateway.router), router: gateway.router },
    })),
  ];
  const links = ends.map(({ kind, a, b }, index): InstanceLink => {
    const tunnel = a.node === b.node ? 'local' : 'vxlan';
    const end = (side: 'a' | 'b', address: number) => ({
      interface: linkInterface(ids, slot, index, side),
      ...addresses(tunnel, address),
    });
    const base = block.base + 2 * index;
    return {
      kind,
      tunnel,
      vni: linkVni(ids, slot, index),
      a: { ...a, ...end('a', base) },
      b: { ...b, ...end('b', base + 1) },
    };
  });
  const length = block.length;
  return { slice: slice.name, vn: vn.name, slot, placement, block: `${formatAddress(block.base)}/${length}`, links };
}

function addresses(tunnel: TunnelKind, address: number): Pick<LinkEnd, 'address' | 'mac'> {
  return { address: formatAddress(address), ...(tunnelDescriptor(tunnel).hasMac ? { mac: macOf(address) } : {}) };
}

/** An end host is never on its gateway's node. */
const accessTunnel: NodeTunnelKind = 'vxlan';

/** The access links of a VN, in the order of its end hosts. */
export function planAccess(slice: Slice, vn: VirtualNetwork): AccessLink[] {
  const ids = sliceIds(slice.number);
  const offset = firstIndex(slice, vn, (other) => other.endHosts.length);
  return vn.endHosts.map((endHost, position) => {
    const index = offset + position;
    const { gateway, host } = accessAddresses(slice, index);
    const end = (node: string, address: number, side: 'gateway' | 'host') => ({
      node,
      interface: accessInterface(ids, index, side),
      ...addresses(accessTunnel, address),
    });
    return {
      endHost: endHost.name,
      gateway: endHost.gateway,
      tunnel: accessTunnel,
      vni: accessVni(ids, index),
      prefix: `${formatAddress(gateway)}/31`,
      gatewayEnd: end(gatewayOf(vn, endHost.gateway).node, gateway, 'gateway'),
      hostEnd: end(endHost.node, host, 'host'),
    };
  });
}

export function gatewayOf(vn: VirtualNetwork, name: string): Gateway {
  const gateway = vn.gateways.find((candidate) => candidate.name === name);
  if (gateway === undefined) throw new VnmError('not-found', `VN '${vn.name}' has no gateway '${name}'`);
  return gateway;
}

/** The instance's link between a gateway and its router. */
export function gatewayLink(instance: Instance, gateway: string): InstanceLink {
  const link = instance.links.find((candidate) => candidate.a.gateway === gateway);
  if (link === undefined) throw new VnmError('not-found', `instance of '${instance.vn}' has no gateway '${gateway}'`);
  return link;
}

/** A gateway's number within the slice, which its nexthop and the groups towards it carry. */
export function gatewayIndex(slice: Slice, vn: VirtualNetwork, gateway: string): number {
  const offset = firstIndex(slice, vn, (other) => other.gateways.length);
  return offset + vn.gateways.findIndex((candidate) => candidate.name === gateway);
}

/** The nexthop at a gateway that leads into an instance. */
export function instanceNexthop(slice: Slice, vn: VirtualNetwork, slot: number, gateway: string): number {
  return memberNexthop(sliceIds(slice.number), slot, gatewayIndex(slice, vn, gateway));
}

/** Where a VN's objects begin in a numbering that runs through all VNs of the slice. */
function firstIndex(slice: Slice, vn: VirtualNetwork, count: (vn: VirtualNetwork) => number): number {
  const position = slice.vns.findIndex((other) => other.name === vn.name);
  return slice.vns.slice(0, position).reduce((sum, other) => sum + count(other), 0);
}
