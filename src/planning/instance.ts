import { formatAddress } from '../model/address.ts';
import { nodeTunnelOf } from '../model/dataplane.ts';
import { VnmError } from '../model/errors.ts';
import { linkInterface, linkVni, macOf, movedMac, sliceIds, switchMac } from '../model/ids.ts';
import type { GatewayName, NodeName, RouterName } from '../model/names.ts';
import { onceFor } from '../model/once.ts';
import { instanceBlock } from '../model/room.ts';
import { isSwitch } from '../model/router.ts';
import type { Placement, Slice, VirtualNetwork } from '../model/slice.ts';
import { type NodeTunnelKind, type TunnelKind, tunnelDescriptor } from '../model/tunnel.ts';

/** One VN on one placement: the places and names of everything, decided before any node is touched. */
export interface Instance {
  readonly slice: string;
  readonly vn: string;
  readonly slot: number;
  readonly placement: Placement;
  /** Moving routers, each with the node it moves to; until the move ends, the router is on both nodes. */
  readonly moving?: Placement;
  /** All addresses of the instance, as `a.b.c.d/n`. */
  readonly block: string;
  /** The kind of its tunnels between nodes. */
  readonly nodeTunnel: NodeTunnelKind;
  /** Virtual links in the order of the slice file, then one link per gateway (end `a` is the gateway). */
  readonly links: readonly InstanceLink[];
}

export interface InstanceLink {
  readonly kind: 'virtual' | 'gateway';
  /** Chosen when the instance is planned, and recorded with it. */
  readonly tunnel: TunnelKind;
  readonly vni: number;
  readonly a: LinkEnd;
  readonly b: LinkEnd;
}

export interface LinkEnd {
  readonly node: NodeName;
  /** Exactly one of `router` and `gateway`. */
  readonly router?: RouterName;
  readonly gateway?: GatewayName;
  readonly interface: string;
  readonly address: string;
  /** Present if the tunnel kind has MAC addresses. */
  readonly mac?: string;
}

/**
 * Plans the names, addresses and tunnels of a VN on a placement in a slot. Pure: the same input gives the same result.
 */
export function planInstance(slice: Slice, vn: VirtualNetwork, placement: Placement, slot: number): Instance {
  const ids = sliceIds(slice);
  const nodeTunnel = nodeTunnelOf(slice, vn);
  const block = instanceBlock(slice, slot);
  const nodeOf = (router: RouterName): NodeName => {
    const node = placement.get(router);
    if (node === undefined) throw new VnmError('invalid-input', `the placement has no node for router '${router}'`);
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
  const isSwitchEnd = ({ router }: Partial<Pick<LinkEnd, 'router' | 'gateway'>>) =>
    router !== undefined && isSwitch(vn, router);
  const links = ends.map(({ kind, a, b }, index): InstanceLink => {
    const tunnel = tunnelBetween(nodeTunnel, a.node, b.node);
    const end = (side: 'a' | 'b', address: number) => ({
      interface: linkInterface(ids, slot, index, side),
      ...addresses(tunnel, address, isSwitchEnd(side === 'a' ? a : b)),
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
  return {
    slice: slice.name,
    vn: vn.name,
    slot,
    placement,
    block: `${formatAddress(block.base)}/${block.length}`,
    nodeTunnel,
    links,
  };
}

function tunnelBetween(nodeTunnel: NodeTunnelKind, node: NodeName, other: NodeName): TunnelKind {
  return node === other ? 'local' : nodeTunnel;
}

/**
 * Returns the instance with one router on another node, where it is no longer moving. Slot, interface names, addresses,
 * VNIs and MACs stay, but the MACs of a switch change with its node (`movedMac`). A link changes its kind if its ends
 * are now on one node, or no longer are.
 */
export function moveRouter({ moving, ...instance }: Instance, router: RouterName, node: NodeName): Instance {
  const others = new Map([...(moving ?? [])].filter(([name]) => name !== router));
  const place = (end: LinkEnd): LinkEnd => {
    if (end.router !== router || end.node === node) return end;
    return { ...end, node, ...(end.mac === undefined ? {} : { mac: movedMac(end.mac) }) };
  };
  return {
    ...instance,
    placement: new Map([...instance.placement].map(([name, at]) => [name, name === router ? node : at])),
    ...(others.size === 0 ? {} : { moving: others }),
    links: instance.links.map((link) => {
      if (link.a.router !== router && link.b.router !== router) return link;
      const [a, b] = [place(link.a), place(link.b)];
      return { ...link, tunnel: tunnelBetween(instance.nodeTunnel, a.node, b.node), a, b };
    }),
  };
}

/** Returns the instance with other names for a router's interfaces, by link. */
export function renamed(instance: Instance, router: RouterName, names: ReadonlyMap<InstanceLink, string>): Instance {
  const rename = (end: LinkEnd, name: string): LinkEnd => (end.router === router ? { ...end, interface: name } : end);
  return {
    ...instance,
    links: instance.links.map((link) => {
      const name = names.get(link);
      return name === undefined ? link : { ...link, a: rename(link.a, name), b: rename(link.b, name) };
    }),
  };
}

/** All nodes with a router of the instance; for a moving router, both of its nodes. */
export function routerNodes({ placement, moving }: Instance): NodeName[] {
  return [...new Set([...placement.values(), ...(moving?.values() ?? [])])];
}

/** The address of a tunnel's end, and its MAC address if the kind has one. */
export function addresses(tunnel: TunnelKind, address: number, isSwitchEnd = false): Pick<LinkEnd, 'address' | 'mac'> {
  const mac = isSwitchEnd ? switchMac(address) : macOf(address);
  return { address: formatAddress(address), ...(tunnelDescriptor(tunnel).hasMac ? { mac } : {}) };
}

/** The instance's link between a gateway and its router. */
export function gatewayLink(instance: Instance, gateway: GatewayName): InstanceLink {
  const link = gatewayLinks(instance).get(gateway);
  if (link === undefined) throw new VnmError('not-found', `instance of '${instance.vn}' has no gateway '${gateway}'`);
  return link;
}

const gatewayLinks = onceFor(
  ({ links }: Instance) =>
    new Map(links.flatMap((link) => (link.a.gateway === undefined ? [] : [[link.a.gateway, link]]))),
);
