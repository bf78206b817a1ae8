/** A lock that the agents of all slices of a node share. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { VnmError } from '../model/errors.ts';
import { cannotRun, environment } from './dataplane/kernel/run.ts';

/** For those whose turn it is before. */
const patienceS = 90;
/** Of the directory in the child. */
const descriptor = 3;

/**
 * Runs `body` while no other process runs one with the same directory; no file in it is needed for that. Throws VnmError `conflict` when
 * the others take too long. The kernel releases the lock with the process that has it, however that ends.
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

/** A lock is the open directory's: that of the child is this one's too, and outlasts it. */
async function lock(file: FileHandle, path: string): Promise<void> {
  const words = ['--exclusive', '--timeout', String(patienceS), String(descriptor)];
  const child = spawn('flock', words, { env: environment, stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  const [code] = await once(child, 'exit').catch((error: Error) => {
    throw cannotRun('flock', error);
  });
  if (code === 0) return;
  throw new VnmError('conflict', `another slice has been changing this node for ${patienceS} s`, {
    hint: `try again; fuser ${path} shows which processes use the lock`,
  });
}
