/**
 * Names and ids of kernel objects, derived from the slice's number, so that slices on one node never collide and every
 * object shows its owner. An instance takes one of the slice's slots (0..14); slots are reused once free.
 */
import type { NamespaceName, RouterName } from './names.ts';

/** Slots 0..14 are for instances; slot 15 is for the access links, which outlive instances. */
export const maxSlots = 15;
export const accessSlot = 15;
/** The most virtual links and gateways of one instance together, and the most end hosts of one slice. */
export const maxPerSlot = 256;

export interface SliceIds {
  /** The prefix of all interface names of the slice (6 of the kernel's 15 characters). */
  readonly interfacePrefix: string;
  /** The routing table of the slice on gateways and end hosts, and the priority of the two rules that select it. */
  readonly table: number;
  readonly rulePriority: number;
  readonly nexthops: IdRange;
  readonly vnis: IdRange;
}

/** A range of ids, both ends included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

export function sliceIds(number: number): SliceIds {
  return {
    interfacePrefix: `pv${number.toString(36).padStart(3, '0')}-`,
    table: 50_000 + number,
    rulePriority: 10_000 + number,
    nexthops: { first: number * 65_536, last: number * 65_536 + 65_535 },
    vnis: { first: number * 4096, last: number * 4096 + 4095 },
  };
}

/**
 * The default UDP port of the slice's tunnels on nodes with the userspace data plane, below the ports that systems
 * choose.
 */
export function userspacePort(number: number): number {
  return 20_000 + number;
}

/** The VNI of the `index`-th virtual link (links first, then gateway links) of the instance in `slot`. */
export function linkVni(ids: SliceIds, slot: number, index: number): number {
  return ids.vnis.first + slot * maxPerSlot + index;
}

/** The VNI between the slice's `index`-th end host and its gateway. */
export function accessVni(ids: SliceIds, index: number): number {
  return ids.vnis.first + accessSlot * maxPerSlot + index;
}

/** The nexthop of the slice's `gateway`-th gateway into the instance in `slot`. */
export function memberNexthop(ids: SliceIds, slot: number, gateway: number): number {
  return ids.nexthops.first + slot * maxPerSlot + gateway;
}

/** The nexthop group at a gateway for all destinations behind the slice's `peer`-th gateway. */
export function peerGroup(ids: SliceIds, peer: number): number {
  return ids.nexthops.first + 0x8000 + peer;
}

/** The id of a group's lead nexthop, in the same range of ids (decision 24). */
export function leadNexthop(group: number): number {
  // Bit operators return a signed number.
  return (group ^ 0x4000) >>> 0;
}

/** The interface of a link's end; `side` keeps the two ends apart when both are on one node. */
export function linkInterface(ids: SliceIds, slot: number, index: number, side: 'a' | 'b'): string {
  return `${ids.interfacePrefix}${slot.toString(16)}l${index}${side}`;
}

export function accessInterface(ids: SliceIds, index: number, side: 'gateway' | 'host'): string {
  return `${ids.interfacePrefix}e${index}${side === 'gateway' ? 'g' : 'h'}`;
}

/** The name of a virtual router's namespace, beginning with the prefix from the node's policy. */
export function routerNamespace(prefix: string, slot: number, router: RouterName): NamespaceName {
  return `${prefix}${slot.toString(16)}-${router}`;
}

/** A locally administered MAC address that carries the interface's IPv4 address, so that neighbours need no ARP. */
export function macOf(address: number): string {
  const octets = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
  return `02:50:${octets.join(':')}`;
}
