import type { Server, Socket } from 'node:net';

/** How long an agent with nothing installed, and so without a policy file, runs without a channel. */
const idleMs = 30_000;

/**
 * Ends an agent that only inspected its node: calls `end` when the server has had no connection for `limitMs`, also if
 * none ever came, and `isNeeded()` is false. While it is true, checks again every `limitMs`.
 */
export function endWhenIdle(server: Server, isNeeded: () => boolean, end: () => void, limitMs = idleMs): void {
  let channels = 0;
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(() => (isNeeded() ? wait() : end()), limitMs);
  };
  server.on('connection', (socket: Socket) => {
    channels += 1;
    clearTimeout(timer);
    socket.on('close', () => {
      channels -= 1;
      if (channels === 0) wait();
    });
  });
  wait();
}
