import { createSocket, type Socket } from 'node:dgram';
import { bindError, type UdpEndpoint, type UdpOptions } from '../endpoints.ts';
import { readDrops } from './drops.ts';
import { enlargeReceiveBuffer } from './receive-buffer.ts';

/** The buffer size to request in each direction; the kernel gives at most `net.core.rmem_max` and `wmem_max`. */
const bufferBytes = 4 * 1024 * 1024;

/**
 * Opens a socket. Addresses are never names, so it skips the lookup, which would delay each packet to a later turn of
 * the event loop. Without `done` a failed send is silent.
 */
export function openUdp({ address, port = 0, onMessage, onError = () => {} }: UdpOptions): UdpEndpoint {
  const socket = createSocket({ type: 'udp4', lookup: (literal, _options, done) => done(null, literal, 4) });
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  let closing = false;
  const bound = bind(socket, address, port);
  if (onMessage !== undefined) socket.on('message', onMessage);
  // Only now: binding may have failed already, which `bound` reports.
  socket.on('error', onError);
  return {
    bound,
    connect: (to, done) => socket.connect(to.port, to.address, done),
    send(packet, to, done) {
      if (to === undefined) socket.send(packet, done);
      else socket.send(packet, to.port, to.address, done);
    },
    queuedPackets: () => socket.getSendQueueCount(),
    queuedBytes: () => socket.getSendQueueSize(),
    makeRoom: (bytes) => enlargeReceiveBuffer(socket, bytes),
    drops: async () => readDrops(address, await bound),
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

/** Linux limits the requested size; other systems refuse it, and then their default applies. */
function enlargeBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_BUFFER_SIZE') throw error;
  }
}
