/** Pure: which probes to send, and what their arrivals say. */
import { longestQueueMs } from './emulated-link.ts';
import { probeBytes } from './probe-packet.ts';
import type { LinkProperties } from './properties.ts';

export interface ProbeJob {
  /** For each link. */
  readonly count: number;
  readonly intervalMs: number;
  /** How long to wait for the last probes; later ones count as lost. */
  readonly patienceMs: number;
  readonly links: readonly ProbedLink[];
}

export interface ProbedLink {
  /** Positions of nodes. */
  readonly from: number;
  readonly to: number;
  /** Sent at once, to see at which rate it arrives. */
  readonly burst?: { readonly packets: number; readonly bytes: number };
}

/** What arrived on a link. */
export interface ProbeArrivals {
  readonly sent: number;
  readonly latenciesMs: readonly number[];
  /** When packets of the burst arrived, in the order of arrival. */
  readonly burstAtMs: readonly number[];
}

export interface LinkMeasurement {
  readonly sent: number;
  readonly received: number;
  /** With the bounds of its 95 % interval. */
  readonly lossRate: { readonly value: number; readonly low: number; readonly high: number };
  /** One-way, of the packets that arrived; null if none did. */
  readonly latencyMs: { readonly min: number; readonly median: number; readonly max: number } | null;
  /** Only where a rate is asked for that is not too slow; `bps` is null if fewer than two of the burst arrived. */
  readonly rate?: { readonly bps: number | null; readonly sent: number; readonly received: number };
}

/** From the start of one burst to the start of the next, which may share a processor. */
export const betweenBurstsMs = 120;

/** Of all probes together, which is little for a relay. */
const probesPerMs = 2;
const leastIntervalMs = 10;
/** Probes take at most this part of a limited rate. */
const shareOfRate = 0.25;
const spareMs = 1000;

/** A burst fills a link for less than the time that its queue may have. */
const burstMs = 0.8 * longestQueueMs;
const mostPackets = 100;
const largestBytes = 1400;

/** `links`: what is asked of each, and the positions of its nodes. */
export function planProbes(
  links: readonly { readonly from: number; readonly to: number; readonly asked: LinkProperties }[],
  count: number,
): ProbeJob {
  const rates = links.flatMap(({ asked }) => asked.rateBps ?? []);
  const slowestMs = Math.max(0, ...rates.map((rateBps) => (probeBytes * 8000) / rateBps / shareOfRate));
  const longestMs = Math.max(0, ...links.map(({ asked }) => asked.latencyMs + asked.jitterMs));
  return {
    count,
    intervalMs: Math.max(leastIntervalMs, links.length / probesPerMs, slowestMs),
    patienceMs: longestMs + longestQueueMs + spareMs,
    links: links.map(({ from, to, asked }) => ({
      ...{ from, to },
      ...(asked.rateBps === null || asked.rateBps < slowestBurstBps ? {} : { burst: burstAt(asked.rateBps) }),
    })),
  };
}

/** Slower, a second packet would find no room in the queue. */
const slowestBurstBps = (probeBytes * 8000) / longestQueueMs;

/** About twenty packets or more in `burstMs`, as far as their sizes allow. */
function burstAt(rateBps: number): { packets: number; bytes: number } {
  const room = (rateBps * burstMs) / 8000;
  const bytes = Math.min(largestBytes, Math.max(probeBytes, Math.floor(room / 20)));
  return { packets: Math.min(mostPackets, Math.max(2, Math.floor(room / bytes))), bytes };
}

export function measurementOf({ burst }: ProbedLink, arrivals: ProbeArrivals): LinkMeasurement {
  const { sent, latenciesMs, burstAtMs } = arrivals;
  const sorted = latenciesMs.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  const [min, max] = [sorted[0], sorted.at(-1)];
  return {
    sent,
    received: sorted.length,
    lossRate: lossWithInterval(sent - sorted.length, sent),
    latencyMs:
      min === undefined || max === undefined
        ? null
        : { min, median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2, max },
    ...(burst === undefined
      ? {}
      : { rate: { bps: rateOf(burstAtMs, burst.bytes), sent: burst.packets, received: burstAtMs.length } }),
  };
}

/** The packets after the first took the time between the first and the last. */
function rateOf(burstAtMs: readonly number[], bytes: number): number | null {
  const [first, last] = [burstAtMs[0], burstAtMs.at(-1)];
  if (first === undefined || last === undefined || last <= first) return null;
  return ((burstAtMs.length - 1) * bytes * 8000) / (last - first);
}

/** The 0.975 quantile of the normal distribution. */
const z = 1.959964;

/** Wilson's interval (1927), which holds for few losses, none and all. `sent` is at least 1. */
function lossWithInterval(lost: number, sent: number): LinkMeasurement['lossRate'] {
  const value = lost / sent;
  const scale = 1 + z ** 2 / sent;
  const centre = (value + z ** 2 / (2 * sent)) / scale;
  const half = (z * Math.sqrt((value * (1 - value)) / sent + z ** 2 / (4 * sent ** 2))) / scale;
  return { value, low: lost === 0 ? 0 : centre - half, high: lost === sent ? 1 : centre + half };
}
