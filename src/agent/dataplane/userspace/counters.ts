/** Packets and bytes of each interface, and packets dropped for each reason, since the agent began. */
import type { NodeCounters } from '../../../vsys/messages.ts';
import { gatedBy } from '../planner/gate.ts';
import { ownStack, type Place } from '../planner/state.ts';

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
  /** In the order of the node's own stack and then of the namespaces' names. */
  read(): NodeCounters;
  /** Forgets interfaces that are no more. */
  keep(places: readonly Place[]): void;
}

export function createCounters(): Counters {
  const traffic = new Map<string, { readonly place: Place; readonly counts: Traffic }>();
  const keyOf = ({ namespace, name }: Place) => `${namespace} ${name}`;
  const drops = Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;
  return {
    of(place) {
      const key = keyOf(place);
      const known = traffic.get(key);
      if (known !== undefined) return known.counts;
      const counts = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
      traffic.set(key, { place, counts });
      return counts;
    },
    drops,
    read() {
      const interfaces = [...traffic.values()]
        .filter(({ place: { name } }) => name !== 'lo' && gatedBy(name) === undefined)
        .toSorted((a, b) => compare(orderOf(a.place), orderOf(b.place)))
        .map(({ place: { namespace, name }, counts }) => ({
          ...(namespace === ownStack ? {} : { namespace }),
          name,
          ...counts,
        }));
      const dropped = dropReasons.map((reason) => ({ reason, packets: drops[reason] }));
      return { interfaces, drops: dropped.filter(({ packets }) => packets > 0) };
    },
    keep(places) {
      const kept = new Set(places.map(keyOf));
      for (const key of traffic.keys()) if (!kept.has(key)) traffic.delete(key);
    },
  };
}

function orderOf({ namespace, name }: Place): string {
  return `${namespace === ownStack ? '' : namespace} ${name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
