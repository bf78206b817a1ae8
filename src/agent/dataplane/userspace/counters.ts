/** Packets and bytes of each interface, and packets dropped for each reason, since the agent began. */
import type { Place } from '../kernel/state.ts';

export const dropReasons = [
  'malformed',
  'unknown-tunnel',
  'wrong-key',
  'wrong-source',
  'reverse-path',
  'ttl-exceeded',
  'no-route',
  'blackhole',
  'unreachable',
  'prohibited',
  'too-big',
  'interface-down',
  'gate-full',
] as const;
export type DropReason = (typeof dropReasons)[number];

export interface Traffic {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
}

export interface Counters {
  of(place: Place): Traffic;
  readonly drops: Record<DropReason, number>;
  /** Forgets interfaces that are no more. */
  keep(places: readonly Place[]): void;
}

export function createCounters(): Counters {
  const traffic = new Map<string, Traffic>();
  const keyOf = ({ namespace, name }: Place) => `${namespace} ${name}`;
  return {
    of(place) {
      const key = keyOf(place);
      let counts = traffic.get(key);
      if (counts === undefined) {
        counts = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
        traffic.set(key, counts);
      }
      return counts;
    },
    drops: Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>,
    keep(places) {
      const kept = new Set(places.map(keyOf));
      for (const key of traffic.keys()) if (!kept.has(key)) traffic.delete(key);
    },
  };
}
