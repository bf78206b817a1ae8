/** The kinds of tunnels that this plane has. */
import { type TunnelKind, tunnelDescriptor, tunnelKindNames } from '../../../../model/tunnel.ts';
import type { Link } from '../state.ts';
import type { KernelTunnel } from './kind.ts';
import { local } from './local.ts';
import { udp } from './udp.ts';
import { vxlan } from './vxlan.ts';

const kernelTunnels: { readonly [Kind in TunnelKind]: KernelTunnel<Kind> } = { vxlan, udp, local };

export function tunnelKind(kind: TunnelKind): KernelTunnel {
  return kernelTunnels[kind] as KernelTunnel;
}

/** Returns the kind of a device; undefined for one that is not a tunnel. */
function kindOf({ kind: device }: Pick<Link, 'kind'>): TunnelKind | undefined {
  return tunnelKindNames.find((kind) => tunnelKind(kind).device === device);
}

export function tunnelOf(link: Pick<Link, 'kind'>): KernelTunnel | undefined {
  const kind = kindOf(link);
  return kind === undefined ? undefined : tunnelKind(kind);
}

/** Whether it comes and goes with another device. */
export function isPair(link: Pick<Link, 'kind'>): boolean {
  return tunnelOf(link)?.devices === 2;
}

/** Whether its neighbours have MAC addresses; those of hardware do, too. */
export function hasMac(link: Pick<Link, 'kind'>): boolean {
  const kind = kindOf(link);
  return kind === undefined || tunnelDescriptor(kind).hasMac;
}
