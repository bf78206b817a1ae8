/**
 * Parses the forwarding entries that `ip route save` writes: the kernel's messages (rtnetlink.h) one after the other,
 * in the machine's byte order. Most of many entries differ in nothing but their prefix, so everything else is parsed
 * once. Pure, except for `digestOf`.
 */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { formatAddress } from '../../../model/address.ts';
import { VnmError } from '../../../model/errors.ts';
import type { PackedRoutes } from '../../../model/packed-routes.ts';
import type { RouteNexthop } from '../../../model/route.ts';
import { protocolName } from '../planner/protocols.ts';
import { type KernelRoute, mainTable } from '../planner/state.ts';
import { addRoute, routeTypes } from './parse.ts';

const isLittle = endianness() === 'LE';
/** At the beginning of the output. */
const magic = 0x45311224;
const magicBytes = 4;
const newRoute = 24;
const ipv4 = 2;
const onlinkFlag = 4;
/** The sizes of `nlmsghdr`, `rtmsg`, `rtattr` and `rtnexthop`. */
const [headerBytes, routeBytes, attributeBytes, hopBytes] = [16, 12, 4, 8];
const attributes = {
  destination: 1,
  device: 4,
  gateway: 5,
  metric: 6,
  source: 7,
  nexthops: 9,
  table: 15,
} as const;

/** Names of interfaces by the kernel's numbers for them. */
export type Interfaces = ReadonlyMap<number, string>;

/** What entries with different prefixes may have in common. */
type Common = Omit<KernelRoute, 'prefix'>;

export function isDump(output: Buffer, at = 0): boolean {
  return output.length >= at + magicBytes && viewOf(output).getUint32(at, isLittle) === magic;
}

/**
 * Returns a digest that stays the same as long as the entries do. Overwrites what differs from one dump to the next:
 * flags, number and receiver of each message.
 */
export function digestOf(dump: Buffer, interfaces: Interfaces): string {
  const view = viewOf(dump);
  forEachMessage(dump, view, (start) => {
    view.setUint16(start + 6, 0);
    view.setUint32(start + 8, 0);
    view.setUint32(start + 12, 0);
  });
  return createHash('sha256')
    .update(JSON.stringify([...interfaces]))
    .update(dump)
    .digest('hex');
}

/**
 * Returns the entries that decide where packets go, as `parseRoutes`. Entries that use a nexthop object get the next
 * hops that it stands for.
 */
export function routesIn(dump: Buffer, interfaces: Interfaces): Map<string, KernelRoute> {
  const routes = new Map<string, KernelRoute>();
  forEachRoute(dump, interfaces, (prefix, common) => addRoute(routes, { prefix, ...common }));
  return routes;
}

/** Returns those of the main table. Of several for one prefix and metric, the one that the kernel uses comes first. */
export function packedRoutesIn(dump: Buffer, interfaces: Interfaces): PackedRoutes[] {
  const bundles = new Map<Common, string[]>();
  const again: PackedRoutes[] = [];
  let [lastPrefix, lastMetric]: [string, number | undefined] = ['', undefined];
  forEachRoute(dump, interfaces, (prefix, common) => {
    if (common.table !== mainTable) return;
    // The kernel lists them one after the other.
    const isAgain = prefix === lastPrefix && common.metric === lastMetric;
    [lastPrefix, lastMetric] = [prefix, common.metric];
    if (isAgain) {
      again.push(bundleOf(common, [prefix]));
      return;
    }
    const bundle = bundles.get(common);
    if (bundle === undefined) bundles.set(common, [prefix]);
    else bundle.push(prefix);
  });
  return [...[...bundles].map(([common, prefixes]) => bundleOf(common, prefixes)), ...again];
}

function bundleOf(
  { table: _table, onlink: _onlink, protocol, ...common }: Common,
  prefixes: readonly string[],
): PackedRoutes {
  return { ...common, protocol: protocolName(protocol), prefixes: prefixes.join(' ') };
}

function forEachRoute(dump: Buffer, interfaces: Interfaces, visit: (prefix: string, common: Common) => void): void {
  const view = viewOf(dump);
  /** By all bytes that matter but the prefix; null for entries that do not decide where packets go. */
  const known = new Map<string, Common | null>();
  let last = { start: 0, length: 0, destination: 0, common: null as Common | null };
  forEachMessage(dump, view, (start, length) => {
    if (length !== last.length || !isLike(view, last.start, start, last)) {
      const destination = destinationOf(view, start, length);
      const key = keyOf(dump, start, length, destination);
      const common = known.get(key) ?? commonOf(view, start, length, interfaces);
      known.set(key, common);
      last = { start, length, destination, common };
    }
    if (last.common === null) return;
    const address = last.destination === 0 ? 0 : view.getUint32(start + last.destination + attributeBytes);
    visit(`${formatAddress(address)}/${dump[start + headerBytes + 1]}`, last.common);
  });
}

/** Throws VnmError `failed` if something else follows than the empty JSON that `ip -json` may write. */
function forEachMessage(dump: Buffer, view: DataView, visit: (start: number, length: number) => void): void {
  let start = magicBytes;
  while (start + headerBytes + routeBytes <= dump.length) {
    const length = view.getUint32(start, isLittle);
    const isRoute = view.getUint16(start + 4, isLittle) === newRoute && length >= headerBytes + routeBytes;
    if (!isRoute || start + length > dump.length) break;
    visit(start, length);
    start += length;
  }
  if (/^(\s*\[\s*\])?\s*$/.test(dump.toString('latin1', start, start + 32))) return;
  throw new VnmError('failed', `ip route save: byte ${start} of ${dump.length} begins no route`);
}

/** Where the prefix's attribute is, counted from the message's start; 0 for the default route, which has none. */
function destinationOf(view: DataView, start: number, length: number): number {
  let found = 0;
  forEachAttribute(view, start + headerBytes + routeBytes, start + length, (type, at) => {
    if (type === attributes.destination) found = at - attributeBytes - start;
  });
  return found;
}

/** Whether a message as long as another one differs from it in nothing that matters but its prefix. */
function isLike(
  view: DataView,
  one: number,
  other: number,
  { length, destination }: { readonly length: number; readonly destination: number },
): boolean {
  if (!isFramed(view, one, other)) return false;
  for (let at = headerBytes + 4; at + 4 <= length; at += 4) {
    if (at === destination + attributeBytes && destination > 0) continue;
    if (view.getUint32(one + at) !== view.getUint32(other + at)) return false;
  }
  return length % 4 === 0;
}

/** The first four bytes of `rtmsg`, of which the second is the prefix's length. */
function isFramed(view: DataView, one: number, other: number): boolean {
  const [a, b] = [view.getUint32(one + headerBytes), view.getUint32(other + headerBytes)];
  return ((a ^ b) & 0xff00ffff) === 0;
}

function keyOf(dump: Buffer, start: number, length: number, destination: number): string {
  const family = dump.toString('latin1', start + headerBytes, start + headerBytes + 1);
  const from = start + headerBytes + 2;
  if (destination === 0) return family + dump.toString('latin1', from, start + length);
  const before = dump.toString('latin1', from, start + destination);
  return family + before + dump.toString('latin1', start + destination + attributeBytes + 4, start + length);
}

function commonOf(view: DataView, start: number, length: number, interfaces: Interfaces): Common | null {
  const at = start + headerBytes;
  const type = routeTypes.get(view.getUint8(at + 7));
  if (type === undefined || view.getUint8(at) !== ipv4) return null;
  const flags = view.getUint32(at + 8, isLittle);
  let [table, metric, source]: [number, number?, string?] = [view.getUint8(at + 4)];
  let [device, via]: [number?, string?] = [];
  let several: Hop[] | undefined;
  forEachAttribute(view, at + routeBytes, start + length, (kind, value, size) => {
    if (kind === attributes.table) table = view.getUint32(value, isLittle);
    else if (kind === attributes.metric) metric = view.getUint32(value, isLittle);
    else if (kind === attributes.source) source = formatAddress(view.getUint32(value));
    else if (kind === attributes.device) device = view.getUint32(value, isLittle);
    else if (kind === attributes.gateway) via = formatAddress(view.getUint32(value));
    else if (kind === attributes.nexthops) several = hopsIn(view, value, value + size, interfaces);
  });
  const single = device === undefined ? [] : [hopOf(nameOf(interfaces, device), via, 1, flags)];
  const hops = several ?? single;
  return {
    type,
    nexthops: type === 'unicast' ? hops.map(({ nexthop }) => nexthop) : [],
    ...(metric === undefined ? {} : { metric }),
    ...(source === undefined ? {} : { source }),
    protocol: view.getUint8(at + 5),
    table,
    onlink: hops.some(({ onlink }) => onlink),
  };
}

interface Hop {
  readonly nexthop: RouteNexthop;
  readonly onlink: boolean;
}

function hopsIn(view: DataView, start: number, end: number, interfaces: Interfaces): Hop[] {
  const hops: Hop[] = [];
  for (let at = start; at + hopBytes <= end; ) {
    const size = Math.max(hopBytes, view.getUint16(at, isLittle));
    let via: string | undefined;
    forEachAttribute(view, at + hopBytes, Math.min(at + size, end), (kind, value) => {
      if (kind === attributes.gateway) via = formatAddress(view.getUint32(value));
    });
    const name = nameOf(interfaces, view.getUint32(at + 4, isLittle));
    hops.push(hopOf(name, via, view.getUint8(at + 3) + 1, view.getUint8(at + 2)));
    at += aligned(size);
  }
  return hops;
}

function hopOf(name: string, via: string | undefined, weight: number, flags: number): Hop {
  const nexthop = { interface: name, ...(via === undefined ? {} : { via }), weight };
  return { nexthop, onlink: (flags & onlinkFlag) !== 0 };
}

/** As `ip` names an interface that it does not know. */
function nameOf(interfaces: Interfaces, index: number): string {
  return interfaces.get(index) ?? `if${index}`;
}

/** `at`: where the value is. */
function forEachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (type: number, at: number, size: number) => void,
): void {
  for (let at = start; at + attributeBytes <= end; ) {
    const size = view.getUint16(at, isLittle);
    if (size < attributeBytes || at + size > end) return;
    visit(view.getUint16(at + 2, isLittle), at + attributeBytes, size - attributeBytes);
    at += aligned(size);
  }
}

function aligned(size: number): number {
  return (size + 3) & ~3;
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
