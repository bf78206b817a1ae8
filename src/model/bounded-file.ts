/** Reads files that others name or write: checks the kind of file first, and reads no more than a limit. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats, statSync } from 'node:fs';

export interface Bounds {
  readonly maxBytes: number;
  /** Whether to accept an unnamed pipe too: `<(...)` of a shell, or /dev/stdin. */
  readonly pipes?: boolean;
}

const megabyte = 1024 * 1024;
const chunkBytes = 65536;

/**
 * Reads a whole file, without waiting for a FIFO. Throws an Error whose message is a reason ("it is a FIFO", "it is
 * larger than 4 MiB"), or the file system's error.
 */
export function readBounded(path: string, bounds: Bounds): Buffer {
  return withFile(path, bounds, (file) => {
    const found = readUpTo(file, bounds.maxBytes + 1);
    if (found.length > bounds.maxBytes) throw tooLarge(bounds);
    return found;
  });
}

export function readBoundedText(path: string, bounds: Bounds): string {
  return readBounded(path, bounds).toString('utf8');
}

/** Reads the first bytes of a file of any size; throws as `readBounded`. */
export function readStart(path: string, bytes: number): Buffer {
  return withFile(path, { maxBytes: Number.POSITIVE_INFINITY }, (file) => readUpTo(file, bytes));
}

/** The kind of a file, with its article; undefined for a regular file. */
export function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function withFile<T>(path: string, bounds: Bounds, use: (file: number) => T): T {
  // A blocking open would wait on a FIFO without a writer, or on a terminal.
  let file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(file);
    const isPipe = bounds.pipes === true && stats.isFIFO() && isUnnamed(file, path);
    const kind = kindOf(stats);
    if (kind !== undefined && !isPipe && !isNullDevice(stats)) throw new Error(`it is ${kind}`);
    if (stats.isFile() && stats.size > bounds.maxBytes) throw tooLarge(bounds);
    if (isPipe) {
      closeSync(file);
      file = -1;
      // Reopened for blocking reads, because the writer may be slow; opening an unnamed pipe does not wait.
      file = openSync(path, 'r');
    }
    return use(file);
  } finally {
    if (file >= 0) closeSync(file);
  }
}

/** Users link to /dev/null as an empty file. */
function isNullDevice({ rdev }: Stats): boolean {
  return rdev === statSync('/dev/null').rdev;
}

/** `openFiles`: where Linux says what the files of this process are. */
export function isUnnamed(file: number, path: string, openFiles = '/proc/self/fd'): boolean {
  try {
    return readlinkSync(`${openFiles}/${file}`).startsWith('pipe:');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return /^\/dev\/(stdin|fd\/\d+)$/.test(path);
  }
}

function readUpTo(file: number, bytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; length < bytes; ) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytes - length));
    const count = readSync(file, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    length += count;
  }
  return Buffer.concat(chunks);
}

function tooLarge({ maxBytes }: Bounds): Error {
  const size = maxBytes < megabyte ? `${maxBytes / 1024} KiB` : `${maxBytes / megabyte} MiB`;
  return new Error(`it is larger than ${size}`);
}
