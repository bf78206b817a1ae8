/** Files that others name or write: what they are is checked before they are read, and no more is read than they may have. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';

export interface Bounds {
  readonly maxBytes: number;
  /** Whether an unnamed pipe will do, too: `<(...)` of a shell, or /dev/stdin. */
  readonly pipes?: boolean;
}

const megabyte = 1024 * 1024;
/** Major 1, minor 3 on Linux: /dev/null, an empty file for whoever links to it. */
const nullDevice = 0x103;
const chunkBytes = 65536;

/**
 * All that is in a file. Nothing waits for a FIFO. Throws an Error whose message is a reason ("it is a FIFO", "it is larger than
 * 4 MiB"), or the file system's own.
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

/** The first bytes of a file, which may be of any size; see `readBounded`. */
export function readStart(path: string, bytes: number): Buffer {
  return withFile(path, { maxBytes: Number.POSITIVE_INFINITY }, (file) => readUpTo(file, bytes));
}

/** What a file is, where it is not a regular one. */
export function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function withFile<T>(path: string, bounds: Bounds, use: (file: number) => T): T {
  // A FIFO without a writer, or a terminal, would hold a usual open.
  let file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(file);
    const isPipe = bounds.pipes === true && stats.isFIFO() && isUnnamed(file);
    const kind = kindOf(stats);
    if (kind !== undefined && !isPipe && stats.rdev !== nullDevice) throw new Error(`it is ${kind}`);
    if (stats.isFile() && stats.size > bounds.maxBytes) throw tooLarge(bounds);
    if (isPipe) {
      closeSync(file);
      file = -1;
      // Its writer may be slow, so that it is read like any file: for an unnamed pipe an open does not wait.
      file = openSync(path, 'r');
    }
    return use(file);
  } finally {
    if (file >= 0) closeSync(file);
  }
}

function isUnnamed(file: number): boolean {
  return readlinkSync(`/proc/self/fd/${file}`).startsWith('pipe:');
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
