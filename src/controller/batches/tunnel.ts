/** The ends of tunnels. */

import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { type NodeTunnelKind, tunnelKinds } from '../../model/tunnel.ts';
import type { Instance, InstanceLink, LinkEnd } from '../../planning/instance.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import type { Layout } from './batches.ts';
import { namespaceOf } from './operations.ts';

type TunnelUp = Extract<OperationInput, { op: 'tunnel_up' }>;
type End = Pick<LinkEnd, 'node' | 'interface' | 'mac'>;

/**
 * Yields the ends of a tunnel that one side's batch makes: routers make theirs first, gateways join later. If both ends
 * are on one node, the router's batch makes both.
 */
export function* tunnelOperations(
  { names, mtu }: Pick<Layout, 'names' | 'mtu'>,
  instance: Instance,
  link: InstanceLink,
  side: 'router' | 'gateway',
): Generator<[NodeName, OperationInput]> {
  const { tunnel, vni } = link;
  const { slot } = instance;
  const namespace = (end: LinkEnd) =>
    end.router === undefined ? {} : { namespace: namespaceOf(instance, end.router, names) };
  if (tunnel === 'local') {
    if (side === 'gateway') return;
    const peer = { interface: link.b.interface, mac: requireMac(link.b), ...namespace(link.b) };
    const { node, interface: name } = link.a;
    yield [
      node,
      { op: 'tunnel_up', kind: 'local', interface: name, mac: requireMac(link.a), mtu, peer, ...namespace(link.a) },
    ];
    return;
  }
  for (const [end, peer] of [
    [link.a, link.b],
    [link.b, link.a],
  ] as const) {
    if ((end.gateway === undefined ? 'router' : 'gateway') !== side) continue;
    yield [end.node, { ...tunnelEnd({ names, mtu }, { tunnel, vni, slot }, end, peer), ...namespace(end) }];
  }
}

interface TunnelNumbers {
  readonly tunnel: NodeTunnelKind;
  readonly vni: number;
  readonly slot: number;
  readonly alsoOn?: NodeName | undefined;
}

/**
 * One end of a tunnel to another node. `slot`: the instance's, or that of the access links. `alsoOn`: a second node
 * that the other end is on.
 */
export function tunnelEnd(
  { names, mtu }: Pick<Layout, 'names' | 'mtu'>,
  { tunnel, vni, slot, alsoOn }: TunnelNumbers,
  end: End,
  peer: End,
): TunnelUp {
  switch (tunnel) {
    case 'vxlan':
      return {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: end.interface,
        mac: requireMac(end),
        mtu,
        vni,
        remote: names.address(peer.node),
        ...(alsoOn === undefined ? {} : { alsoFrom: names.address(alsoOn) }),
        local: names.address(end.node),
        port: tunnelKinds.vxlan.carriedBy.port,
      };
    case 'udp':
      return {
        op: 'tunnel_up',
        kind: 'udp',
        interface: end.interface,
        mtu,
        vni,
        instance: slot,
        key: names.tunnelKey(),
        remote: names.address(peer.node),
        port: names.port(peer.node),
        ...(alsoOn === undefined ? {} : { alsoFrom: { address: names.address(alsoOn), port: names.port(alsoOn) } }),
      };
  }
}

/** Returns the MAC address of an end whose tunnel kind has one. */
function requireMac({ interface: name, mac }: End): string {
  if (mac !== undefined) return mac;
  throw new VnmError('failed', `interface '${name}' has no MAC address in the database`);
}
