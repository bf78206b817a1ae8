/**
 * Names and ids of kernel objects, derived from the slice's number, so that slices on one node never collide and every
 * object shows its owner. An instance takes one of the slice's slots (0..14); slots are reused once free.
 *
 * A number has ids for 256 objects per slot. A larger slice takes several numbers in a row, and its slots are larger by
 * that factor; names and ids of other slices do not depend on this (decision 46).
 */
import type { NamespaceName, RouterName } from './names.ts';
import { onceFor } from './once.ts';
import type { VnCounts } from './slice.ts';

/** Slots 0..14 are for instances; slot 15 is for the access links, which outlive instances. */
export const maxSlots = 15;
export const accessSlot = 15;
/** The most virtual links and gateways of one VN together, the most gateways and the most end hosts of one slice. */
export const maxPerSlot = 4096;
/** The ids per slot of one number. */
const perNumber = 256;

/** The last number of a slice. */
export const maxNumber = 4095;

/** How many numbers a slice with these VNs takes. */
export function numbersNeeded(vns: readonly VnCounts[]): number {
  const sum = (part: 'gateways' | 'endHosts') => vns.reduce((total, vn) => total + vn[part].length, 0);
  const largest = vns.reduce((most, { links, gateways }) => Math.max(most, links.length + gateways.length), 1);
  return Math.ceil(Math.max(largest, sum('gateways'), sum('endHosts')) / perNumber);
}

/** The parts of a slice that names and ids depend on. */
export interface Numbered {
  /** The first of its numbers. */
  readonly number: number;
  readonly vns: readonly VnCounts[];
}

export interface SliceIds {
  /** The prefix of all interface names of the slice (6 of the kernel's 15 characters). */
  readonly interfacePrefix: string;
  /** The routing table of the slice on gateways and end hosts, and the priority of the two rules that select it. */
  readonly table: number;
  readonly rulePriority: number;
  readonly nexthops: IdRange;
  readonly vnis: IdRange;
  /** The ids of one slot: VNIs of an instance's links, nexthops of the gateways into it. */
  readonly slotSize: number;
}

/** A range of ids, both ends included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

export const sliceIds = onceFor(({ number, vns }: Numbered): SliceIds => {
  const count = numbersNeeded(vns);
  const range = (each: number): IdRange => ({ first: number * each, last: (number + count) * each - 1 });
  return {
    interfacePrefix: `pv${number.toString(36).padStart(3, '0')}-`,
    table: 50_000 + number,
    rulePriority: 10_000 + number,
    nexthops: range(65_536),
    vnis: range(16 * perNumber),
    slotSize: perNumber * count,
  };
});

/**
 * The default UDP port of the slice's tunnels on nodes with the userspace data plane, below the ports that systems
 * choose.
 */
export function userspacePort(number: number): number {
  return 20_000 + number;
}

/** The VNI of the `index`-th virtual link (links first, then gateway links) of the instance in `slot`. */
export function linkVni(ids: SliceIds, slot: number, index: number): number {
  return ids.vnis.first + slot * ids.slotSize + index;
}

/** The VNI between the slice's `index`-th end host and its gateway. */
export function accessVni(ids: SliceIds, index: number): number {
  return ids.vnis.first + accessSlot * ids.slotSize + index;
}

/** The nexthop of the slice's `gateway`-th gateway into the instance in `slot`. */
export function memberNexthop(ids: SliceIds, slot: number, gateway: number): number {
  return ids.nexthops.first + slot * ids.slotSize + gateway;
}

/** The nexthop group at a gateway for all destinations behind the slice's `peer`-th gateway. */
export function peerGroup(ids: SliceIds, peer: number): number {
  return ids.nexthops.first + (ids.nexthops.last + 1 - ids.nexthops.first) / 2 + peer;
}

/** The id of a group's lead nexthop, in the same range of ids (decision 24): there are at most 4096 groups. */
export function leadNexthop(group: number): number {
  // Bit operators return a signed number.
  return (group ^ 0x4000) >>> 0;
}

/** The interface of a link's end; `side` keeps the two ends apart when both are on one node. */
export function linkInterface(ids: SliceIds, slot: number, index: number, side: 'a' | 'b'): string {
  return `${ids.interfacePrefix}${slot.toString(16)}l${index}${side}`;
}

/** The interface of an end of an access link. With the suffix of a gate its name still has at most 15 characters. */
export function accessInterface(ids: SliceIds, index: number, side: 'gateway' | 'host'): string {
  const short = index < 1000 ? `e${index}` : `f${index.toString(16)}`;
  return `${ids.interfacePrefix}${short}${side === 'gateway' ? 'g' : 'h'}`;
}

/** The name of a virtual router's namespace, beginning with the prefix from the node's policy. */
export function routerNamespace(prefix: string, slot: number, router: RouterName): NamespaceName {
  return `${prefix}${slot.toString(16)}-${router}`;
}

/** A locally administered MAC address that carries the interface's IPv4 address, so that neighbours need no ARP. */
export function macOf(address: number): string {
  return macWith('02:50', address);
}

/**
 * The first octets of the two MAC addresses of a switch's interface: each of the places that it moves between has one.
 */
const placesOfSwitches = ['02:51', '02:52'] as const;

/** As `macOf`, for an interface of a switch where it is set up first. */
export function switchMac(address: number): string {
  return macWith(placesOfSwitches[0], address);
}

/**
 * The MAC address that an interface has when its router has moved to another node. Frames for a switch find its place
 * by it; other routers keep theirs.
 */
export function movedMac(mac: string): string {
  const [prefix, rest] = [mac.slice(0, 5), mac.slice(5)];
  const [one, other] = placesOfSwitches;
  return prefix === one ? `${other}${rest}` : prefix === other ? `${one}${rest}` : mac;
}

function macWith(prefix: string, address: number): string {
  const octets = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
  return `${prefix}:${octets.join(':')}`;
}
