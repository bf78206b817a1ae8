import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Endpoints } from '../dataplane/endpoints.ts';
import type { StreamClock } from './clock.ts';
import { decodeDatagram, streamPrefix } from './datagram.ts';
import { createTally, type Received } from './tally.ts';

/** Turns of the event loop spent on reading what the kernel already has, before a report. */
const minTurns = 2;
const maxTurns = 100;
/** Before the last report of a stream: more than the largest buffer holds. */
const maxLastTurns = 5000;

/** The receiving end of a stream. */
export interface Receiver {
  /** The port it receives on. Rejects as `UdpEndpoint.bound` does. */
  readonly port: Promise<number>;
  /** Monotonic ms of the last packet, undefined before the first. */
  lastPacketMs(): number | undefined;
  /** What arrived before the call is in it, but for a long backlog while the stream goes on; `isLast`: all of it. */
  report(isLast?: boolean): Promise<Received>;
  close(): Promise<void>;
}

export interface ReceiverEnds {
  readonly address: string;
  /** Gets one packet first, on the port where it is received. */
  readonly sender?: string | undefined;
  /** Of the kernel's choice without it. */
  readonly port?: number;
  /** Of receive buffer, beyond what every socket gets, if root may. */
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
  // A failed read loses at most packets, and the sequence numbers show that.
  const udp = endpoints.openUdp({ address, ...(wanted === undefined ? {} : { port: wanted }), onMessage });
  let arrivals = 0;
  let lastPacketMs: number | undefined;

  function onMessage(datagram: Buffer): void {
    const packet = decodeDatagram(prefix, datagram);
    if (packet === undefined) return;
    arrivals += 1;
    lastPacketMs = clock.monotonicMs();
    tally.add(packet, { wallMs: clock.wallMs(), monotonicMs: lastPacketMs });
  }

  /** The event loop reads a few dozen datagrams per turn, so a turn without arrivals means that none wait. */
  async function readWaiting(most: number): Promise<void> {
    for (let turn = 1, before = -1; turn <= minTurns || (arrivals !== before && turn <= most); turn += 1) {
      before = arrivals;
      await nextTurn();
    }
  }

  async function open(): Promise<number> {
    const port = await udp.bound;
    // What a firewall of this node tracks from then on as a connection that began here. A failed send shows as packets lost.
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
    close: () => udp.close(),
  };
}
