import type { Clock } from '../../clock/clock.ts';
import type { Endpoints, Remote } from '../dataplane/endpoints.ts';
import { createLastingSocket } from './lasting-socket.ts';
import { decodePacket, encodePacket } from './packet.ts';

/** The socket where an agent answers the watchers of its slice. */
export interface Echo {
  /** Rejects as `UdpEndpoint.bound` does. */
  readonly port: Promise<number>;
  /** Reopens the socket if it has failed. */
  tend(): void;
  close(): Promise<void>;
}

export function createEcho(
  endpoints: Pick<Endpoints, 'openUdp'>,
  address: string,
  prefix: Buffer,
  clock: Pick<Clock, 'monotonicMs'>,
): Echo {
  const options = { address, keepsPort: true, onMessage: answer, onRefused: () => {} };
  const socket = createLastingSocket(endpoints, options, clock);

  function answer(datagram: Buffer, from: Remote): void {
    const echo = echoOf(prefix, datagram, from);
    // Without a callback a failed send is silent: the watcher will miss the answer.
    if (echo !== undefined) socket.current()?.send(echo, from);
  }

  return { port: socket.bound, tend: () => void socket.current(), close: socket.close };
}

/**
 * Returns the answer, of the same size as the probe. Undefined for what is not answered: what is not a probe of this
 * slice, or comes from port 0, to which no host can send.
 */
export function echoOf(prefix: Buffer, datagram: Buffer, from: Pick<Remote, 'port'>): Buffer | undefined {
  const packet = decodePacket(prefix, datagram);
  if (packet?.kind !== 'probe' || from.port === 0) return undefined;
  return encodePacket(prefix, { kind: 'echo', sequence: packet.sequence });
}
