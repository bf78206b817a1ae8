import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StreamClock } from './clock.ts';
import { decodeDatagram, streamPrefix } from './datagram.ts';
import { openUdp } from './socket.ts';
import { createTally, type Received } from './tally.ts';

/** Turns of the event loop spent on reading what the kernel already has, before a report. */
const minTurns = 2;
const maxTurns = 100;

/** The receiving end of a stream. */
export interface Receiver {
  /** The port it receives on. Rejects as `UdpSocket.bound` does. */
  readonly port: Promise<number>;
  /** Monotonic ms of the last packet, undefined before the first. */
  lastPacketMs(): number | undefined;
  /** What arrived before the call is in it. */
  report(): Promise<Received>;
  close(): Promise<void>;
}

export function createReceiver(stream: string, address: string, clock: StreamClock): Receiver {
  const prefix = streamPrefix(stream);
  const tally = createTally();
  const udp = openUdp(address);
  let arrivals = 0;
  let lastPacketMs: number | undefined;

  udp.socket.on('message', (datagram) => {
    const packet = decodeDatagram(prefix, datagram);
    if (packet === undefined) return;
    arrivals += 1;
    lastPacketMs = clock.monotonicMs();
    tally.add(packet, { wallMs: clock.wallMs(), monotonicMs: lastPacketMs });
  });
  // A failed read loses at most packets, and the sequence numbers show that.
  udp.socket.on('error', () => {});

  /** The event loop reads a few dozen datagrams per turn, so a turn without arrivals means that none wait. */
  async function readWaiting(): Promise<void> {
    for (let turn = 1, before = -1; turn <= minTurns || (arrivals !== before && turn <= maxTurns); turn += 1) {
      before = arrivals;
      await nextTurn();
    }
  }

  return {
    port: udp.bound,
    lastPacketMs: () => lastPacketMs,
    async report() {
      await readWaiting();
      return tally.report();
    },
    close: () => udp.close(),
  };
}
