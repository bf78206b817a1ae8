/** Routers and links from devices and what joins them. */
import { maxPerSlot } from '../model/ids.ts';
import type { Position } from '../slicefile/fault.ts';
import { list } from '../slicefile/words.ts';
import { beginning, faultAt } from './fault.ts';
import type { ImportedDevice, ImportedSegment, Place, Remark, Topology } from './imported.ts';
import type { LegalNames } from './names.ts';

export interface Routers {
  readonly routers: readonly string[];
  readonly links: readonly RouterLink[];
  /** The mean one-way latency of all pairs with coordinates, in ms, for pairs without a link; absent without any. */
  readonly meanMs?: number;
  readonly remarks: readonly Remark[];
}

interface RouterLink {
  readonly from: string;
  readonly to: string;
  /** One way, in ms; absent without coordinates. */
  readonly latencyMs?: number;
}

interface Pair {
  readonly ends: readonly [string, string];
  readonly position: Position;
}

/**
 * Makes a router of each device and a link of each pair that a segment joins, all of one connected network: the largest
 * part. Throws VnmError `invalid-input` if there is no device, or there are more links than a VN may have.
 */
export function routersOf({ devices, segments }: Topology, file: string, names: LegalNames): Routers {
  if (devices.length === 0) throw faultAt(file, beginning, 'the file has no devices');
  const remarks: Remark[] = [];
  const remark = (position: Position, text: string) => remarks.push({ file, position, text });
  const pairs = pairsOf(segments, file, remark);
  const parts = partsOf(devices, pairs);
  const [largest = new Set<string>(), ...others] = parts.toSorted((a, b) => b.size - a.size);
  if (others.length > 0) {
    const left = devices.filter(({ name }) => !largest.has(name));
    const shown = list(left.map(({ name, label }) => label ?? name));
    remark(left[0]!.position, `not imported, because no link joins them to the largest part: ${shown}`);
  }
  const kept = devices.filter(({ name }) => largest.has(name));
  const links = withoutRepeats(pairs, remark).filter(({ ends: [a] }) => largest.has(a));
  if (links.length > maxPerSlot) {
    const message = `the network has ${links.length} links, and a VN at most ${maxPerSlot} links and gateways`;
    throw faultAt(file, links[0]!.position, message, 'take a part of the network');
  }
  const nameOf = new Map(kept.map(({ name, label }) => [name, names.legal(label ?? name)]));
  const placeOf = new Map(kept.map(({ name, place }) => [name, place]));
  remarkUnplaced(kept, remark);
  const meanMs = meanLatencyMs(kept.flatMap(({ place }) => place ?? []));
  return {
    ...(meanMs === undefined ? {} : { meanMs }),
    routers: [...nameOf.values()],
    links: links.map(({ ends: [a, b] }) => {
      const [from, to] = [placeOf.get(a), placeOf.get(b)];
      const latency = from === undefined || to === undefined ? {} : { latencyMs: latencyMs(from, to) };
      return { from: nameOf.get(a)!, to: nameOf.get(b)!, ...latency };
    }),
    remarks,
  };
}

type Note = (position: Position, text: string) => void;

/** The pairs that links and shared media join: on a medium, each device reaches every other one directly. */
function pairsOf(segments: readonly ImportedSegment[], file: string, remark: Note): Pair[] {
  const media = mediaOf(segments);
  const pairs: Pair[] = segments.flatMap(({ medium, ends, position }) =>
    medium === undefined ? [{ ends: [ends[0]!, ends[1]!], position }] : [],
  );
  const lonely: string[] = [];
  for (const { name, members, position } of media) {
    const count = (members.length * (members.length - 1)) / 2;
    if (pairs.length + count > 16 * maxPerSlot) {
      const message = `${name} joins ${members.length} devices, which would be ${count} links`;
      throw faultAt(file, position, message, `a VN has at most ${maxPerSlot} links and gateways`);
    }
    if (members.length === 1) lonely.push(`${name} (${members[0]})`);
    if (members.length > 2) remark(position, `${name} joins ${members.length} devices: it becomes ${count} links`);
    members.forEach((a, index) => {
      for (const b of members.slice(index + 1)) pairs.push({ ends: [a, b], position });
    });
  }
  if (lonely.length > 0) {
    remark(media[0]!.position, `no links, because only one device is there: ${list(lonely)}`);
  }
  return pairs;
}

interface Medium {
  readonly name: string;
  readonly members: readonly string[];
  readonly position: Position;
}

/** The shared media with their devices, in the order of the file; those that are joined are one. */
function mediaOf(segments: readonly ImportedSegment[]): Medium[] {
  const joined = new Map<string, string>();
  const first = (name: string): string => {
    let here = name;
    for (let next = joined.get(here); next !== undefined; next = joined.get(here)) here = next;
    if (here !== name) joined.set(name, here);
    return here;
  };
  for (const { medium, joins } of segments) {
    if (medium === undefined || joins === undefined) continue;
    const [a, b] = [first(joins), first(medium)];
    if (a !== b) joined.set(b, a);
  }
  const media = new Map<string, { name: string; members: Set<string>; position: Position }>();
  for (const { medium, ends, position } of segments) {
    if (medium === undefined) continue;
    const name = first(medium);
    const known = media.get(name) ?? { name, members: new Set<string>(), position };
    media.set(name, known);
    for (const end of ends) known.members.add(end);
  }
  return [...media.values()].map((medium) => ({ ...medium, members: [...medium.members] }));
}

function partsOf(devices: readonly ImportedDevice[], pairs: readonly Pair[]): Set<string>[] {
  const neighbours = new Map(devices.map(({ name }) => [name, [] as string[]]));
  for (const { ends } of pairs) {
    const [a, b] = ends;
    neighbours.get(a)!.push(b);
    neighbours.get(b)!.push(a);
  }
  const seen = new Set<string>();
  return devices.flatMap(({ name }) => {
    if (seen.has(name)) return [];
    const part = new Set([name]);
    for (const here of part) for (const next of neighbours.get(here)!) part.add(next);
    for (const one of part) seen.add(one);
    return [part];
  });
}

/** A VN has at most one link between two routers, and none from a router to itself. */
function withoutRepeats(pairs: readonly Pair[], remark: Note): Pair[] {
  const seen = new Set<string>();
  const loops = pairs.filter(({ ends: [a, b] }) => a === b);
  const repeats: Pair[] = [];
  const kept = pairs.filter((pair) => {
    const [a, b] = pair.ends.toSorted();
    if (a === b) return false;
    const key = JSON.stringify([a, b]);
    if (seen.has(key)) repeats.push(pair);
    return !seen.has(key) && seen.add(key);
  });
  for (const [what, found] of [
    ['links from a device to itself', loops],
    ['further links between the same two devices', repeats],
  ] as const) {
    if (found.length > 0) remark(found[0]!.position, `not imported: ${what} (${found.length})`);
  }
  return kept;
}

function remarkUnplaced(devices: readonly ImportedDevice[], remark: Note): void {
  const unplaced = devices.filter(({ place }) => place === undefined);
  if (unplaced.length === 0 || unplaced.length === devices.length) return;
  const shown = list(unplaced.map(({ name, label }) => label ?? name));
  remark(unplaced[0]!.position, `no latencies to these, because they have no coordinates: ${shown}`);
}

/** To tenths; undefined for fewer than two places. */
function meanLatencyMs(places: readonly Place[]): number | undefined {
  const all = places.flatMap((from, index) => places.slice(index + 1).map((to) => latencyMs(from, to)));
  if (all.length === 0) return undefined;
  return Math.round((all.reduce((sum, one) => sum + one, 0) / all.length) * 10) / 10;
}

const earthKm = 6371;
/** Two thirds of the speed of light in vacuum. */
const kmPerMs = 199.86;

/** The time of light in fibre along the great circle between two places, in ms, to hundredths. */
export function latencyMs(a: Place, b: Place): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const [latitudeA, latitudeB] = [radians(a.latitude), radians(b.latitude)];
  const half = (angle: number) => Math.sin(angle / 2) ** 2;
  const chord =
    half(latitudeB - latitudeA) + Math.cos(latitudeA) * Math.cos(latitudeB) * half(radians(b.longitude - a.longitude));
  const km = 2 * earthKm * Math.asin(Math.min(1, Math.sqrt(chord)));
  return Math.round((km / kmPerMs) * 100) / 100;
}
