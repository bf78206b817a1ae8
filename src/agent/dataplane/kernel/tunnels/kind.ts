/** What the kernel plane knows of a kind of tunnel: a file per kind next to this one, all of them in registry.ts. Pure. */
import type { TunnelKind } from '../../../../model/tunnel.ts';
import type { Operation } from '../../../../vsys/operations.ts';
import type { Command, Devices, Step } from '../commands.ts';
import type { Link, OwnAddress, Place } from '../state.ts';

export type TunnelUp<Kind extends TunnelKind> = Extract<Operation, { op: 'tunnel_up'; kind: Kind }>;

export interface KernelTunnel<Kind extends TunnelKind = TunnelKind> {
  /** As the kernel calls its devices: `ip link add ... type vxlan`. */
  readonly device: string;
  /** How many devices of a tunnel are on one node: 2 where the node has both ends. */
  readonly devices: 1 | 2;
  /** Lines of `ip -batch` in an empty namespace which succeed where the kernel has the descriptor's feature. */
  readonly trials: readonly string[];

  /** The devices that an operation asks for. Throws VnmError `invalid-input` where the node cannot have them. */
  plan(operation: TunnelUp<Kind>, node: { readonly ownAddresses: readonly OwnAddress[] }): Devices;
  /** Makes the devices, all at once. `ip link del` of one removes them. */
  make(devices: Devices): Step;

  /** What `ip -json -details` tells of a device. */
  read?(data: DeviceJson): Partial<Link>;
  /** All that makes a tunnel this one and not another. */
  describe(link: Link): string;
  /** What may differ in the same tunnel, for messages; always as many. */
  properties?(link: Link): string[];
  /** Changes, while it carries traffic, what of the same tunnel is not as wanted. MTU and MAC address are seen to. */
  adjust?(place: Place, existing: Link, wanted: Link): Adjustment | undefined;
  /** What only one tunnel of the node can have. */
  claim?(link: Link): string | undefined;
}

export interface Adjustment {
  readonly command: Command;
  /** As it is then. */
  readonly link: Link;
}

/** `linkinfo.info_data`, as far as some kind reads it. */
export interface DeviceJson {
  id?: number;
  remote?: string;
  local?: string;
  port?: number;
}
