import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** For the rest of a request. */
const graceMs = 3000;

/**
 * Makes closing a server quick: answers the function that ends every connection on which no request is under way, at once, and the others
 * when theirs is answered. Node.js alone waits for connections that browsers open in advance and have sent nothing on, and for the rest
 * of a request for as long as it does not come: that gets a few seconds.
 */
export function connectionCloser(server: Server): () => void {
  /** With how many requests are under way on each. */
  const open = new Map<Socket, number>();
  /** Requests that have not come as a whole. */
  const arriving = new Set<IncomingMessage>();
  let isClosing = false;
  const count = (socket: Socket, change: number) => {
    const left = (open.get(socket) ?? 0) + change;
    if (open.has(socket)) open.set(socket, left);
    if (isClosing && left === 0) socket.destroySoon();
  };
  server.on('connection', (socket: Socket) => {
    open.set(socket, 0);
    socket.once('close', () => open.delete(socket));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    count(socket, 1);
    arriving.add(request);
    request.once('end', () => arriving.delete(request));
    request.once('close', () => arriving.delete(request));
    response.once('close', () => count(socket, -1));
  });
  return () => {
    isClosing = true;
    for (const socket of open.keys()) count(socket, 0);
    setTimeout(() => {
      for (const { socket } of arriving) socket.destroy();
    }, graceMs).unref();
  };
}
