/** A lock that the agents of all slices on a node share. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { VnmError } from '../model/errors.ts';
import { cannotRun, environment } from './run.ts';

/** How long to wait for the slices that came first. */
const patienceS = 90;
/** The directory's file descriptor in the child. */
const descriptor = 3;

/**
 * Runs `body` while no other process runs one with the same directory, which needs to contain nothing for that. Throws
 * VnmError `conflict` when the others take too long. The kernel releases the lock when its holder ends, however it
 * ends.
 */
export async function withNodeLock<T>(path: string, body: () => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    await lock(file, path);
    return await body();
  } finally {
    await file.close();
  }
}

/** Locks the open directory. The child shares the open file with this process, so the lock outlives the child. */
async function lock(file: FileHandle, path: string): Promise<void> {
  const words = ['--exclusive', '--timeout', String(patienceS), String(descriptor)];
  const child = spawn('flock', words, { env: environment, stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  const [code] = await once(child, 'exit').catch((error: Error) => {
    throw cannotRun('flock', error);
  });
  if (code === 0) return;
  throw new VnmError('conflict', `another slice has been changing this node for ${patienceS} s`, {
    hint: `try again; run \`fuser ${path}\` to see which processes hold the lock`,
  });
}
