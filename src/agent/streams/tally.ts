import type { StreamReport } from '../../vsys/messages.ts';
import type { StreamPacket } from './datagram.ts';
import { createDelays } from './delays.ts';
import { createSequenceSet } from './sequences.ts';

/** When a packet arrived, by both clocks of the receiver. */
interface Arrival {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export type Received = Omit<StreamReport, 'sent'>;
/** What the packets themselves show. */
type Tallied = Omit<Received, 'dropped'>;

/** Counts the packets of one stream. */
export interface Tally {
  add(packet: StreamPacket, arrival: Arrival): void;
  /** How many different packets have arrived. */
  received(): number;
  report(): Tallied;
}

/**
 * Counts packets. A packet that arrives again counts as duplicated, and neither as reordered nor with its delay (RFC
 * 4737 considers first arrivals only), but it ends a gap: something did arrive.
 */
export function createTally(): Tally {
  const seen = createSequenceSet();
  const delays = createDelays();
  let received = 0;
  let duplicated = 0;
  let reordered = 0;
  let largest = -1;
  let lastArrivalMs: number | undefined;
  let maxGapMs = 0;

  return {
    add(packet, arrival) {
      if (lastArrivalMs !== undefined) maxGapMs = Math.max(maxGapMs, arrival.monotonicMs - lastArrivalMs);
      lastArrivalMs = arrival.monotonicMs;
      if (!seen.add(packet.sequence)) {
        duplicated += 1;
        return;
      }
      received += 1;
      if (packet.sequence < largest) reordered += 1;
      else largest = packet.sequence;
      delays.add(arrival.wallMs - packet.sentAtMs);
    },
    received: () => received,
    report() {
      const delayMs = delays.summary();
      return { received, duplicated, reordered, maxGapMs, ...(delayMs === undefined ? {} : { delayMs }) };
    },
  };
}
