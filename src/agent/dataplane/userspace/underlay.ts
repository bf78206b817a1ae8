/** The UDP socket that carries all tunnels of the slice on this node. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { VnmError } from '../../../model/errors.ts';
import type { SendQueue } from './endpoints.ts';

/** What is asked for; a system grants an ordinary user as much as it likes. */
const bufferBytes = 4 * 1024 * 1024;

export interface UnderlayOptions {
  /** Address of this node to receive at; `0.0.0.0` for all. */
  readonly address: string;
  readonly port: number;
  readonly onDatagram: (datagram: Buffer, address: string, port: number) => void;
  readonly log: (event: string) => void;
}

export interface Underlay extends SendQueue {
  readonly port: number;
  /** What cannot be sent is lost, as in a network; after `close` everything is. */
  send(datagram: Buffer, start: number, port: number, address: string): void;
  close(): Promise<void>;
}

/** Throws VnmError `conflict` when something else has the port, `failed`. */
export async function openUnderlay({ address, port, onDatagram, log }: UnderlayOptions): Promise<Underlay> {
  // Addresses only: without a look-up a packet is sent at once.
  const socket = createSocket({ type: 'udp4', lookup: (host, _options, callback) => callback(null, host, 4) });
  socket.on('message', (datagram, sender) => onDatagram(datagram, sender.address, sender.port));
  try {
    // Without a look-up it may be bound at once.
    const listening = once(socket, 'listening');
    socket.bind({ address, port });
    await listening;
  } catch (error) {
    socket.close();
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw new VnmError(
      isTaken ? 'conflict' : 'failed',
      `cannot open UDP port ${port} of ${address} for tunnels: ${(error as Error).message}`,
      { hint: isTaken ? 'end the process that has it, or give the node another port' : undefined, cause: error },
    );
  }
  socket.on('error', (error) => log(`tunnel socket: ${error.message}`));
  attempt(() => socket.setRecvBufferSize(bufferBytes));
  attempt(() => socket.setSendBufferSize(bufferBytes));
  let isOpen = true;
  return {
    port: socket.address().port,
    send(datagram, start, toPort, toAddress) {
      // Timers of endpoints can fire after it was closed.
      if (isOpen) socket.send(datagram, start, datagram.length - start, toPort, toAddress);
    },
    packets: () => socket.getSendQueueCount(),
    bytes: () => socket.getSendQueueSize(),
    async close() {
      isOpen = false;
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** Some systems refuse more than they grant, where others grant what they have. */
function attempt(change: () => void): void {
  try {
    change();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_BUFFER_SIZE') throw error;
  }
}
