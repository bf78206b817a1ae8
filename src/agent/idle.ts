import type { Server, Socket } from 'node:net';

/** An agent that has nothing installed, and so no policy file, ends when it has had no channel for so long. */
const idleMs = 30_000;

/**
 * What only looked at a node does not stay there: calls `end` when the server has had no connection for `limitMs`, also where none ever
 * came, and the agent is not needed. One that is needed is asked again after the same time.
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
