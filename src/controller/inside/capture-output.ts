/** Where the blocks of a capture go. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { messageOf, VnmError } from '../../model/errors.ts';

export interface CaptureOutput {
  /** Throws VnmError `failed`. */
  write(blocks: Buffer): Promise<void>;
  /** Throws as `write`: some file systems report a full disk only then. */
  close(): Promise<void>;
  /** Where its reader may end unnoticed: the time in ms after which something is to be written even without packets. */
  readonly idleMs?: number;
}

/** A program that reads a pipe may be closed at any time; only a write shows that. */
const pipeIdleMs = 2000;

/**
 * Writes a file, which replaces one of that name. If it cannot be written to, as on a full disk, what fits of the last
 * write is removed: the file ends with a complete block. Throws VnmError `failed`.
 */
export async function openCaptureFile(path: string, openFile = open): Promise<CaptureOutput> {
  const file = await openFile(path, 'w').catch((error: unknown): never => cannotWrite(path, error));
  let bytes = 0;
  return {
    write: async (blocks) => {
      try {
        await writeAll(file, blocks);
        bytes += blocks.length;
      } catch (error) {
        // What is no regular file, such as a device, cannot be cut.
        await file.truncate(bytes).catch(() => {});
        cannotWrite(path, error);
      }
    },
    close: () => file.close().catch((error: unknown): never => cannotWrite(path, error)),
  };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

function cannotWrite(path: string, error: unknown): never {
  throw new VnmError('failed', `cannot write ${path}: ${messageOf(error)}`, {
    hint: 'give another path with -w, with room for the packets',
    cause: error,
  });
}

/** Passes the file on to a stream, such as a pipe to another program. */
export function captureStream(stream: Writable): CaptureOutput {
  return {
    write: (blocks) =>
      new Promise((resolve, reject) => {
        const fail = (error: Error) => reject(streamFault(error));
        stream.once('error', fail);
        stream.write(blocks, (error) => {
          if (error != null) return fail(error);
          stream.off('error', fail);
          resolve();
        });
      }),
    close: async () => {},
    idleMs: pipeIdleMs,
  };
}

function streamFault(error: Error): VnmError {
  return new VnmError('failed', `cannot write the packets: ${error.message}`, { cause: error });
}
