import { createSocket, type Socket } from 'node:dgram';
import { VnmError } from '../../model/errors.ts';

/** Asked of the kernel in each direction; it gives as much as `net.core.rmem_max` and `wmem_max` allow. */
const bufferBytes = 4 * 1024 * 1024;

export interface UdpSocket {
  readonly socket: Socket;
  /** The port, once bound. Rejects with VnmError: `not-found` when the address is not on this node, else `failed`. */
  readonly bound: Promise<number>;
  /** Resolves when it is closed; may be called again. */
  close(): Promise<void>;
}

/**
 * A UDP socket on a port, of the kernel's choice unless it is said. Its user listens to the errors that come later. Addresses are
 * never names, so the look-up is left out: it would delay each packet to a later turn of the event loop.
 */
export function openUdp(address: string, port = 0): UdpSocket {
  const socket = createSocket({ type: 'udp4', lookup: (literal, _options, done) => done(null, literal, 4) });
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  let closing = false;
  return {
    socket,
    bound: bind(socket, address, port),
    close() {
      if (!closing) {
        closing = true;
        socket.close();
      }
      return closed;
    },
  };
}

function bind(socket: Socket, address: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.once('error', (error) => reject(bindError(address, error)));
  socket.once('listening', () => {
    enlargeBuffers(socket);
    resolve(socket.address().port);
  });
  socket.bind({ address, port });
  return promise;
}

/** Linux caps what is asked for; other systems refuse, and then their default has to do. */
function enlargeBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_BUFFER_SIZE') throw error;
  }
}

function bindError(address: string, error: NodeJS.ErrnoException): VnmError {
  if (error.code === 'EADDRNOTAVAIL') {
    return new VnmError('not-found', `${address} is not an address of this node`, {
      hint: 'name an address that an interface of the node itself has (not one in a router namespace)',
      cause: error,
    });
  }
  return new VnmError('failed', `cannot open a UDP socket on ${address}: ${error.message}`, { cause: error });
}
