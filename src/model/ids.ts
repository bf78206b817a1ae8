/**
 * Names and ids of kernel objects, derived from the slice's number so that slices on one node never meet and every
 * object can be told by its mark. An instance takes one of the slice's slots (0..14); slots are reused once free.
 */
import type { NamespaceName, RouterName } from './names.ts';

/** Slots 0..14 are for instances; slot 15 is for what stays (end-host access). */
export const maxSlots = 15;
const accessSlot = 15;
/** Virtual links and gateways of one instance together, and end hosts of one slice. */
export const maxPerSlot = 256;

export interface SliceIds {
  /** All interfaces of the slice begin with it (6 characters of the kernel's 15). */
  readonly interfacePrefix: string;
  /** Routing table of the slice on gateways and end hosts, and the priority of the two rules that lead there. */
  readonly table: number;
  readonly rulePriority: number;
  readonly nexthops: IdRange;
  readonly vnis: IdRange;
}

/** Inclusive. */
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

/** VNI of the `index`-th virtual link (links first, then gateway links) of the instance in `slot`. */
export function linkVni(ids: SliceIds, slot: number, index: number): number {
  return ids.vnis.first + slot * maxPerSlot + index;
}

/** VNI between the slice's `index`-th end host and its gateway. */
export function accessVni(ids: SliceIds, index: number): number {
  return ids.vnis.first + accessSlot * maxPerSlot + index;
}

/** Nexthop of the slice's `gateway`-th gateway into the instance in `slot`. */
export function memberNexthop(ids: SliceIds, slot: number, gateway: number): number {
  return ids.nexthops.first + slot * maxPerSlot + gateway;
}

/** Nexthop group at a gateway for all destinations behind the slice's `peer`-th gateway. */
export function peerGroup(ids: SliceIds, peer: number): number {
  return ids.nexthops.first + 0x8000 + peer;
}

/** The nexthop that a group leads by, in the same range of ids (decision 24). */
export function leadNexthop(group: number): number {
  // Bit operators answer a signed number.
  return (group ^ 0x4000) >>> 0;
}

/** `side` tells the two ends of one link apart, so that both may be on one node. */
export function linkInterface(ids: SliceIds, slot: number, index: number, side: 'a' | 'b'): string {
  return `${ids.interfacePrefix}${slot.toString(16)}l${index}${side}`;
}

export function accessInterface(ids: SliceIds, index: number, side: 'gateway' | 'host'): string {
  return `${ids.interfacePrefix}e${index}${side === 'gateway' ? 'g' : 'h'}`;
}

/** Name of a virtual router's namespace, below the prefix that the node's policy gives. */
export function routerNamespace(prefix: string, slot: number, router: RouterName): NamespaceName {
  return `${prefix}${slot.toString(16)}-${router}`;
}

/** A locally administered MAC address that carries the interface's IPv4 address, so that neighbours need no ARP. */
export function macOf(address: number): string {
  const octets = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
  return `02:50:${octets.join(':')}`;
}
