import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Makes closing a server quick: answers the function that ends every connection on which no request is under way, at once, and the others
 * when theirs is answered. Node.js alone waits for connections that browsers open in advance and have sent nothing on.
 */
export function connectionCloser(server: Server): () => void {
  /** With how many requests are under way on each. */
  const open = new Map<Socket, number>();
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
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    count(socket, 1);
    response.once('close', () => count(socket, -1));
  });
  return () => {
    isClosing = true;
    for (const socket of open.keys()) count(socket, 0);
  };
}
