/**
 * What the kernel plane knows of a kind of tunnel: each kind has a file in this directory, and registry.ts lists them.
 * Pure.
 */
import type { TunnelKind } from '../../../../model/tunnel.ts';
import type { Operation } from '../../../../vsys/operations.ts';
import type { Command, Devices, Step } from '../commands.ts';
import type { Link, OwnAddress, Place } from '../state.ts';

export type TunnelUp<Kind extends TunnelKind> = Extract<Operation, { op: 'tunnel_up'; kind: Kind }>;

export interface KernelTunnel<Kind extends TunnelKind = TunnelKind> {
  /** The kernel's name for its devices: `ip link add ... type vxlan`. */
  readonly device: string;
  /** How many devices of a tunnel are on one node: 2 if the node has both ends. */
  readonly devices: 1 | 2;
  /** Lines of `ip -batch` that succeed in an empty namespace if the kernel has the descriptor's feature. */
  readonly trials: readonly string[];

  /** Returns the devices that an operation asks for. Throws VnmError `invalid-input` if the node cannot have them. */
  plan(operation: TunnelUp<Kind>, node: { readonly ownAddresses: readonly OwnAddress[] }): Devices;
  /** Creates the devices, all at once. `ip link del` of one removes them. */
  make(devices: Devices): Step;

  /** Parses what `ip -json -details` shows of a device. */
  read?(data: DeviceJson): Partial<Link>;
  /** Describes a tunnel, with everything that identifies it. */
  describe(link: Link): string;
  /** Whether `adjust` can make one into the other; by default, whether their descriptions are the same. */
  isSame?(one: Link, other: Link): boolean;
  /** Describes what may differ in the same tunnel, for messages; always the same number of strings. */
  properties?(link: Link): string[];
  /** Changes what differs in an existing tunnel while it carries traffic, except MTU and MAC address. */
  adjust?(place: Place, existing: Link, wanted: Link): Adjustment | undefined;
  /** Returns what only one tunnel of the node can have. */
  claim?(link: Link): string | undefined;
}

export interface Adjustment {
  readonly commands: readonly Command[];
  /** The link after the commands. */
  readonly link: Link;
}

/** `linkinfo.info_data`, as far as some kind reads it. */
export interface DeviceJson {
  id?: number;
  remote?: string;
  local?: string;
  port?: number;
}
