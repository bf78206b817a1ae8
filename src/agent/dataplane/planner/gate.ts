/**
 * The gate of an access interface: incoming packets pass a separate `ifb` device, whose token bucket lets either
 * everything or nothing through. Contains the arguments for `tc`, and parses what `tc` shows. Pure.
 */
import { VnmError } from '../../../model/errors.ts';
import { type Gate, type KernelState, type Link, linkAt, ownStack, type Place } from './state.ts';

const suffix = '.ifb';
const maxNameLength = 15;

/**
 * Returns the name of the device. Throws VnmError `invalid-input` if the interface's name is too long for the suffix.
 */
export function gateName(interfaceName: string): string {
  const name = `${interfaceName}${suffix}`;
  if (name.length <= maxNameLength) return name;
  const room = maxNameLength - suffix.length;
  throw new VnmError(
    'invalid-input',
    `the name '${interfaceName}' is too long for a gate, which adds ${suffix} to it`,
    {
      hint: `give the interface a name of at most ${room} characters`,
    },
  );
}

/** Returns the gate of an interface, if it has one. */
export function gateOf(state: Pick<KernelState, 'stacks'>, { namespace, name }: Place): Place | undefined {
  const place = { namespace, name: `${name}${suffix}` };
  return namespace === ownStack && linkAt(state, place)?.kind === 'ifb' ? place : undefined;
}

/** Returns the name of the interface whose gate has this name. */
export function gatedBy(name: string): string | undefined {
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
}

/**
 * The smallest limit: even while it is open packets may wait in it, for as long as the kernel handles those that
 * arrived at the same time.
 */
const leastRoomBytes = 4 * 1024 * 1024;

export function openGate(limitBytes: number): Gate {
  return { limitBytes: Math.max(limitBytes, leastRoomBytes), closed: false };
}

/** Far more than any node forwards, so that the bucket is always full. */
const open = ['rate', '100gbit', 'burst', '100mb'];
/**
 * A bucket of no bytes, so that no packet ever passes. Any other bucket must have room for the largest packet, and
 * begins full: when the gate closes it would let that much through. The kernel counts the bucket as burst + overhead in
 * 32 bits, which is 0 here, but still takes packets as large as the burst. The rate only determines how often the
 * kernel checks for tokens in vain, every 0.1 to 0.3 ms: this releases held packets as soon as the gate is open, even
 * if no other packet arrives.
 */
const overheadBytes = 65_535;
const closed = ['rate', '4gbit', 'burst', String(2 ** 32 - overheadBytes), 'overhead', String(overheadBytes)];

/**
 * For a routing daemon, whose socket has room for some hundred packets. The first of them may leave together: the burst
 * must have room for the largest packet.
 */
export const pacedBps = 8_000_000;
const paced = ['rate', `${pacedBps}`, 'burst', '16kb'];

/** Creates the device's bucket, or changes it and keeps the held packets. */
export function bucketWords(name: string, gate: Gate): string[] {
  const opened = gate.paced ? paced : open;
  const bucket = [...(gate.closed ? closed : opened), 'limit', String(gate.limitBytes)];
  return ['qdisc', 'replace', 'dev', name, 'root', 'handle', '1:', 'tbf', ...bucket];
}

export const hookWords = (action: 'add' | 'del', name: string): string[] => ['qdisc', action, 'dev', name, 'ingress'];

/** Before the filters of others. */
const priority = 1;

const filterAt = (action: 'add' | 'del', name: string): string[] => [
  ...['filter', action, 'dev', name, 'ingress'],
  ...['protocol', 'all', 'prio', String(priority), 'u32'],
];

export function redirectWords(name: string, gate: string): string[] {
  const action = ['action', 'mirred', 'egress', 'redirect', 'dev', gate];
  return [...filterAt('add', name), 'match', 'u32', '0', '0', ...action];
}

export const noRedirectWords = (name: string): string[] => filterAt('del', name);

/** The parts of `tc`'s JSON that are read. */
export interface QdiscJson {
  kind: string;
  root?: boolean;
  options: { limit?: number; overhead?: number; burst?: number };
  /** With statistics: what waits, bytes, and the packets for which there was no room. */
  backlog?: number;
  drops?: number;
}
export interface FilterJson {
  pref?: number;
  kind?: string;
  options?: { actions?: { kind: string; to_dev?: string }[] };
}

/**
 * Whether filters can be attached to incoming packets of an interface. `clsact` also accepts filters; it belongs to
 * someone else.
 */
export function hasHook(qdiscs: readonly QdiscJson[]): boolean {
  return qdiscs.some(({ kind }) => kind === 'ingress' || kind === 'clsact');
}

/** Returns an empty object for a device that is not a gate yet. */
export function parseGate(qdiscs: readonly QdiscJson[]): Pick<Link, 'gate'> {
  const bucket = qdiscs.find(({ kind, root }) => kind === 'tbf' && root);
  if (bucket?.options.limit === undefined) return {};
  return { gate: { limitBytes: bucket.options.limit, closed: bucket.options.overhead === overheadBytes } };
}

/** Whether not even the first packet passes the bucket. With details `tc` writes its size as `0b/1`. */
export function isTight(qdiscs: readonly QdiscJson[]): boolean {
  return qdiscs.some(({ kind, root, options }) => kind === 'tbf' && root && /^0(b|$)/.test(String(options.burst)));
}

export function parseRedirect(filters: readonly FilterJson[]): Pick<Link, 'redirect'> {
  const own = filters.filter(({ pref, kind }) => pref === priority && kind === 'u32');
  const actions = own.flatMap(({ options }) => options?.actions ?? []);
  const target = actions.find(({ kind }) => kind === 'mirred')?.to_dev;
  return target === undefined ? {} : { redirect: target };
}
