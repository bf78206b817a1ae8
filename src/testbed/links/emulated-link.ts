/** Pure: latency, jitter, random loss and a limited rate of one direction of a path between nodes. */
import type { LinkProperties } from './properties.ts';

/** The longest time that a packet waits for its turn; a queue that is longer drops packets, as a device does. */
export const longestQueueMs = 100;

/**
 * Says when a packet arrives at the other end. Instants are monotonic ms.
 *
 * Jitter is drawn for each packet on its own, so packets that follow each other closely overtake each other, as with
 * netem. A change never does that: what is sent after it arrives no earlier than what was sent before.
 */
export class EmulatedLink {
  #properties: LinkProperties;
  readonly #random: () => number;
  #isConstant: boolean;
  /** The latest arrival of the packets so far. */
  #latestMs = Number.NEGATIVE_INFINITY;
  /** No packet arrives earlier, because of those before the last change. */
  #earliestMs = Number.NEGATIVE_INFINITY;
  /** When the packets so far have been sent at the limited rate. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  /** `random`: uniform in [0, 1). */
  constructor(properties: LinkProperties, random: () => number) {
    this.#properties = properties;
    this.#random = random;
    this.#isConstant = hasConstantLatency(properties);
  }

  get properties(): LinkProperties {
    return this.#properties;
  }

  /** Whether every packet so far took `latencyMs`, and the next ones will. */
  get isConstant(): boolean {
    return this.#isConstant;
  }

  /** Returns when a packet that is sent now arrives; undefined if it is lost. */
  arrivalMs(bytes: number, nowMs: number): number | undefined {
    const { lossRate, latencyMs } = this.#properties;
    if (lossRate > 0 && this.#random() < lossRate) return undefined;
    const arrivalMs = this.#isConstant ? nowMs + latencyMs : this.#variableArrivalMs(bytes, nowMs);
    if (arrivalMs !== undefined && arrivalMs > this.#latestMs) this.#latestMs = arrivalMs;
    return arrivalMs;
  }

  /** Packets that are under way keep the arrival that they were given. */
  change(properties: LinkProperties): void {
    const { latencyMs, rateBps } = this.#properties;
    this.#properties = properties;
    // Packets under way keep the turn of the old rate; the next ones need not wait for it.
    if (properties.rateBps !== rateBps) this.#freeAtMs = Number.NEGATIVE_INFINITY;
    if (this.#isConstant && hasConstantLatency(properties) && properties.latencyMs === latencyMs) return;
    this.#isConstant = false;
    this.#earliestMs = this.#latestMs;
  }

  #variableArrivalMs(bytes: number, nowMs: number): number | undefined {
    const { latencyMs, jitterMs, rateBps } = this.#properties;
    let departureMs = nowMs;
    if (rateBps !== null) {
      const startMs = Math.max(nowMs, this.#freeAtMs);
      if (startMs - nowMs > longestQueueMs) return undefined;
      departureMs = startMs + (bytes * 8000) / rateBps;
      this.#freeAtMs = departureMs;
    }
    const deviationMs = jitterMs === 0 ? 0 : (2 * this.#random() - 1) * jitterMs;
    return Math.max(departureMs + latencyMs + deviationMs, this.#earliestMs);
  }
}

function hasConstantLatency({ jitterMs, rateBps }: LinkProperties): boolean {
  return jitterMs === 0 && rateBps === null;
}
