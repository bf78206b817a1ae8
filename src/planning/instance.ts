import { formatAddress } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import { linkInterface, linkVni, macOf, sliceIds } from '../model/ids.ts';
import type { GatewayName, NodeName, RouterName } from '../model/names.ts';
import { instanceBlock } from '../model/room.ts';
import type { Placement, Slice, VirtualNetwork } from '../model/slice.ts';
import { type TunnelKind, tunnelDescriptor } from '../model/tunnel.ts';

/** One VN on one placement: where everything is and what it is called, decided before any node is touched. */
export interface Instance {
  readonly slice: string;
  readonly vn: string;
  readonly slot: number;
  readonly placement: Placement;
  /** Routers that are moving, each with the node it moves to; until the move ends, the router is on both nodes. */
  readonly moving?: Placement;
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
  readonly node: NodeName;
  /** Exactly one of `router` and `gateway`. */
  readonly router?: RouterName;
  readonly gateway?: GatewayName;
  readonly interface: string;
  readonly address: string;
  /** Where the kind of the tunnel has one. */
  readonly mac?: string;
}

/** Names, addresses and tunnels of a VN on a placement in a slot. Pure; the same input gives the same instance. */
export function planInstance(slice: Slice, vn: VirtualNetwork, placement: Placement, slot: number): Instance {
  const ids = sliceIds(slice.number);
  const block = instanceBlock(slice, slot);
  const nodeOf = (router: RouterName): NodeName => {
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
    const tunnel = tunnelBetween(a.node, b.node);
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

function tunnelBetween(node: NodeName, other: NodeName): TunnelKind {
  return node === other ? 'local' : 'vxlan';
}

/**
 * The instance with one router on another node, where it no longer moves. Slot, interface names, addresses, VNIs and MACs stay. A link
 * whose ends come to be on one node, or on two, changes its kind.
 */
export function moveRouter({ moving, ...instance }: Instance, router: RouterName, node: NodeName): Instance {
  const others = new Map([...(moving ?? [])].filter(([name]) => name !== router));
  const place = (end: LinkEnd): LinkEnd => (end.router === router ? { ...end, node } : end);
  return {
    ...instance,
    placement: new Map([...instance.placement].map(([name, at]) => [name, name === router ? node : at])),
    ...(others.size === 0 ? {} : { moving: others }),
    links: instance.links.map((link) => {
      if (link.a.router !== router && link.b.router !== router) return link;
      const [a, b] = [place(link.a), place(link.b)];
      return { ...link, tunnel: tunnelBetween(a.node, b.node), a, b };
    }),
  };
}

/** Every node that has a router of the instance, or both nodes of one that moves. */
export function routerNodes({ placement, moving }: Instance): NodeName[] {
  return [...new Set([...placement.values(), ...(moving?.values() ?? [])])];
}

/** Of an end of a tunnel of that kind. */
export function addresses(tunnel: TunnelKind, address: number): Pick<LinkEnd, 'address' | 'mac'> {
  return { address: formatAddress(address), ...(tunnelDescriptor(tunnel).hasMac ? { mac: macOf(address) } : {}) };
}

/** The instance's link between a gateway and its router. */
export function gatewayLink(instance: Instance, gateway: GatewayName): InstanceLink {
  const link = instance.links.find((candidate) => candidate.a.gateway === gateway);
  if (link === undefined) throw new VnmError('not-found', `instance of '${instance.vn}' has no gateway '${gateway}'`);
  return link;
}
