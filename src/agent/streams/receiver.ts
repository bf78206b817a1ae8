import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Endpoints } from '../dataplane/endpoints.ts';
import type { StreamClock } from './clock.ts';
import { decodeDatagram, streamPrefix } from './datagram.ts';
import { createTally, type Received } from './tally.ts';

/** How many turns of the event loop a report spends on reading what the kernel already has. */
const minTurns = 2;
const maxTurns = 100;
/** The same before the last report of a stream: enough for more than the largest buffer holds. */
const maxLastTurns = 5000;

/** How often to look for packets that were dropped, which nothing reports. */
const dropsPollMs = 50;

/** The receiving end of a stream. */
export interface Receiver {
  /** The port it receives on. Rejects as `UdpEndpoint.bound` does. */
  readonly port: Promise<number>;
  /** Monotonic ms of the last packet, undefined before the first. */
  lastPacketMs(): number | undefined;
  /**
   * Includes what arrived before the call, except for a long backlog while the stream continues; with `isLast` all of
   * it.
   */
  report(isLast?: boolean): Promise<Received>;
  /**
   * Resolves when so many packets have arrived or were dropped here, when none has arrived for `quietMs`, or when the
   * receiver closes.
   */
  arrival(packets: number, quietMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface ReceiverEnds {
  readonly address: string;
  /** Gets one packet first, from the port that receives the stream. */
  readonly sender?: string | undefined;
  /** If absent, the kernel chooses. */
  readonly port?: number;
  /** Size of the receive buffer, if root may make it larger than the default. */
  readonly bufferBytes?: number | undefined;
}

export function createReceiver(
  endpoints: Pick<Endpoints, 'openUdp'>,
  stream: string,
  { address, sender, port: wanted, bufferBytes }: ReceiverEnds,
  clock: StreamClock,
): Receiver {
  const prefix = streamPrefix(stream);
  const tally = createTally();
  // A failed read only loses packets, which the sequence numbers show.
  const udp = endpoints.openUdp({ address, ...(wanted === undefined ? {} : { port: wanted }), onMessage });
  let arrivals = 0;
  let lastPacketMs: number | undefined;
  let isClosed = false;
  const waiting = new Set<{ readonly packets: number; go(): void }>();

  function onMessage(datagram: Buffer): void {
    const packet = decodeDatagram(prefix, datagram);
    if (packet === undefined) return;
    arrivals += 1;
    lastPacketMs = clock.monotonicMs();
    tally.add(packet, { wallMs: clock.wallMs(), monotonicMs: lastPacketMs });
    for (const waiter of waiting) if (tally.received() >= waiter.packets) waiter.go();
  }

  /** Waits until so many packets have arrived, or the receiver closes, but not longer. */
  function arrivedOr(mostMs: number, packets: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        waiting.delete(waiter);
        resolve();
      };
      const waiter = { packets, go };
      const timer = setTimeout(go, mostMs);
      waiting.add(waiter);
    });
  }

  /**
   * Reads until a turn of the event loop brings no arrivals: it reads a few dozen datagrams per turn, so then none
   * wait.
   */
  async function readWaiting(most: number): Promise<void> {
    for (let turn = 1, before = -1; turn <= minTurns || (arrivals !== before && turn <= most); turn += 1) {
      before = arrivals;
      await nextTurn();
    }
  }

  async function open(): Promise<number> {
    const port = await udp.bound;
    // A firewall of this node then treats the stream as a connection that began here. A failed send shows as lost
    // packets.
    if (sender !== undefined) udp.send(prefix, { address: sender, port });
    if (bufferBytes !== undefined) await udp.makeRoom(bufferBytes);
    return port;
  }
  const port = open();

  return {
    port,
    lastPacketMs: () => lastPacketMs,
    async report(isLast = false) {
      await readWaiting(isLast ? maxLastTurns : maxTurns);
      return { ...tally.report(), dropped: await udp.drops() };
    },
    async arrival(packets, quietMs) {
      const beganAtMs = clock.monotonicMs();
      while (!isClosed && tally.received() < packets) {
        const leftMs = quietMs - (clock.monotonicMs() - Math.max(beganAtMs, lastPacketMs ?? beganAtMs));
        if (leftMs <= 0) return;
        await arrivedOr(Math.min(leftMs, dropsPollMs), packets);
        if (tally.received() < packets && tally.received() + (await udp.drops()) >= packets) return;
      }
    },
    close: () => {
      isClosed = true;
      for (const { go } of waiting) go();
      return udp.close();
    },
  };
}
