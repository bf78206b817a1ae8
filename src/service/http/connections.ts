import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The time that the rest of a request may take to arrive after the server has begun to close. */
const graceMs = 3000;

/**
 * Returns a function that closes a server's connections quickly: idle ones at once, the others when their request is
 * answered. Node.js itself waits for connections that browsers open in advance and do not use, and waits without limit
 * for the rest of a request; here the rest of a request gets a few seconds.
 */
export function connectionCloser(server: Server): () => void {
  /** The open connections with their numbers of unanswered requests. */
  const open = new Map<Socket, number>();
  /** The requests that have not arrived completely. */
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
