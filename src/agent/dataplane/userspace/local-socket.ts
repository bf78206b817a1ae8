/** UDP sockets of 127.0.0.1, which only programs of this node reach. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { VnmError } from '../../../model/errors.ts';
import type { Remote } from '../endpoints.ts';

export const localAddress = '127.0.0.1';

export interface LocalOptions {
  readonly onMessage: (datagram: Buffer, from: Remote) => void;
  /** Also called if it cannot be opened, perhaps at once. */
  readonly onError: (error: Error) => void;
}

/** Opens a socket at a port of the system's choice. */
export function openLocal({ onMessage, onError }: LocalOptions): Socket {
  const socket = newSocket().on('message', onMessage).on('error', onError);
  socket.bind({ address: localAddress, port: 0, exclusive: true });
  return socket;
}

/** Addresses only: without a look-up it is bound, and a datagram sent, at once. */
function newSocket(): Socket {
  return createSocket({ type: 'udp4', lookup: (host, _options, callback) => callback(null, host, 4) });
}

/** Throws VnmError `conflict` when a program has the port, `failed`. */
export async function listenLocal(port: number): Promise<Socket> {
  const socket = newSocket();
  const listening = once(socket, 'listening');
  try {
    socket.bind({ address: localAddress, port, exclusive: true });
    await listening;
    return socket;
  } catch (error) {
    socket.close();
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const hint =
      'end the program that has it, or give the forward another port; the nodes of a local testbed share 127.0.0.1';
    throw new VnmError(
      isTaken ? 'conflict' : 'failed',
      isTaken
        ? `UDP port ${port} of ${localAddress}, where a forward has to listen, is in use`
        : `cannot open UDP port ${port} of ${localAddress} for a forward: ${(error as Error).message}`,
      { hint: isTaken ? hint : undefined, cause: error },
    );
  }
}
