/** Pure: random loss and a limited rate of the links between nodes. */

export interface Impairment {
  /** The fraction of packets that are lost, 0 to 1. */
  readonly lossRate?: number;
  /** Of each direction of each link, counted in bytes of the packets that the nodes send. */
  readonly rateBps?: number;
}

/** The longest time that a packet waits for its turn; a queue that is longer drops packets, as a device does. */
const longestQueueMs = 100;

export interface Links {
  /** Monotonic ms at which a packet leaves; undefined if it is lost. `link` names one direction of a link. */
  departure(link: number, bytes: number, nowMs: number): number | undefined;
}

/** `random`: uniform in [0, 1). */
export function createLinks({ lossRate = 0, rateBps }: Impairment, random: () => number): Links {
  const freeAtMs = new Map<number, number>();
  return {
    departure(link, bytes, nowMs) {
      if (lossRate > 0 && random() < lossRate) return undefined;
      if (rateBps === undefined) return nowMs;
      const startMs = Math.max(nowMs, freeAtMs.get(link) ?? nowMs);
      if (startMs - nowMs > longestQueueMs) return undefined;
      const endMs = startMs + (bytes * 8000) / rateBps;
      freeAtMs.set(link, endMs);
      return endMs;
    },
  };
}
