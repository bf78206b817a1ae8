/** The directory of a testbed's state, and the mark in it that says whose it is. */
import { chmod, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readBoundedText } from '../model/bounded-file.ts';
import { VnmError } from '../model/errors.ts';
import { testbedFiles } from './layout.ts';

/** Paths end up in an sshd configuration, where the excluded characters have a meaning. */
const directoryPattern = /^\/[^"%\\\p{Cc}]+$/u;

/** Whether the directory is this testbed's. Throws VnmError `conflict` when it holds anything else. */
export async function ownsDirectory(id: string, directory: string): Promise<boolean> {
  const entries = await readdir(directory).catch(unlessMissing);
  if (entries === undefined || entries.length === 0) return false;
  const owner = readMarker(testbedFiles(directory).marker);
  // An empty mark: its writing was interrupted, and nothing is made before it.
  if (owner?.trim() === id || owner === '') return true;
  throw new VnmError('conflict', `'${directory}' is not the directory of testbed '${id}'`, {
    hint: 'give the testbed a directory that does not exist yet',
  });
}

/** Makes the directory (it may exist and be empty), and marks it before anything else is made. */
export async function makeDirectory(id: string, directory: string): Promise<void> {
  if (!directoryPattern.test(directory)) {
    throw new VnmError('invalid-input', `invalid testbed directory: '${directory}'`, {
      hint: 'give an absolute path without quotes, percent signs and backslashes',
    });
  }
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o700);
  await writeFile(testbedFiles(directory).marker, `${id}\n`);
}

/** Removes the directory and everything in it, the mark last, so that an interrupted removal can be repeated. */
export async function removeDirectory(id: string, directory: string): Promise<void> {
  const { marker } = testbedFiles(directory);
  if (await ownsDirectory(id, directory)) {
    const entries = (await readdir(directory)).map((entry) => join(directory, entry));
    await Promise.all(entries.filter((path) => path !== marker).map((path) => rm(path, { recursive: true })));
    await rm(marker);
  }
  await rmdir(directory).catch(unlessMissing);
}

/** A marker that is not a file, or a large one, does not belong to a testbed. */
function readMarker(path: string): string | undefined {
  try {
    return readBoundedText(path, { maxBytes: 4096 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) return unlessMissing(error as NodeJS.ErrnoException);
    return undefined;
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
