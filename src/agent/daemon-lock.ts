/**
 * The lock of a slice's agent where there is no `flock`: a Unix socket at which its holder listens, until it ends in
 * whatever way.
 */
import { once } from 'node:events';
import { mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** Far longer than taking the lock takes: a process that was killed meanwhile has left its mark. */
const longestTakingMs = 10_000;

/** Takes the lock until this process ends. Returns false if another process holds it, or is about to take it. */
export async function takeLock(path: string): Promise<boolean> {
  const mark = `${path}.taking`;
  if (!makeMark(mark)) return false;
  try {
    if (await isHeld(path)) return false;
    rmSync(path, { force: true });
    const server = createServer((socket) => socket.destroy());
    server.listen(path);
    server.unref();
    await once(server, 'listening');
    return true;
  } finally {
    rmdirSync(mark);
  }
}

/** Of two that look whether a socket is dead, the second must not remove the socket that the first has made since. */
function makeMark(mark: string): boolean {
  try {
    mkdirSync(mark);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const made = statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  if (Date.now() - made > longestTakingMs) rmSync(mark, { recursive: true, force: true });
  return false;
}

async function isHeld(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return !['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');
  } finally {
    socket.destroy();
  }
}
