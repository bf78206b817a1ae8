import type { RemoteInfo } from 'node:dgram';
import type { Clock } from '../../clock/clock.ts';
import { createLastingSocket } from './lasting-socket.ts';
import { decodePacket, encodePacket } from './packet.ts';

/** Where an agent answers the watchers of its slice. */
export interface Echo {
  /** Rejects as `UdpSocket.bound` does. */
  readonly port: Promise<number>;
  /** Mends it if it has failed. */
  tend(): void;
  close(): Promise<void>;
}

export function createEcho(address: string, prefix: Buffer, clock: Pick<Clock, 'monotonicMs'>): Echo {
  const socket = createLastingSocket({ address, keepsPort: true, onMessage: answer, onRefused: () => {} }, clock);

  function answer(datagram: Buffer, from: RemoteInfo): void {
    const echo = echoOf(prefix, datagram, from);
    // Without callback a failed send is silent: the watcher will miss it.
    if (echo !== undefined) socket.current()?.send(echo, from.port, from.address);
  }

  return { port: socket.bound, tend: () => void socket.current(), close: socket.close };
}

/** As large as what came. Undefined for what is not answered: no probe of this slice, or one from port 0, to which nobody can send. */
export function echoOf(prefix: Buffer, datagram: Buffer, from: Pick<RemoteInfo, 'port'>): Buffer | undefined {
  const packet = decodePacket(prefix, datagram);
  if (packet?.kind !== 'probe' || from.port === 0) return undefined;
  return encodePacket(prefix, { kind: 'echo', sequence: packet.sequence });
}
