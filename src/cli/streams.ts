/**
 * The program's outputs, which may go away or stand still at any moment: a closed pipe, a full disk, a terminal that hung up or was
 * stopped (Ctrl-S, a line that is down).
 */

import { messageOf } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';

const lost = new AbortController();

/** Aborted once nothing can be written to stdout any more: for commands that do nothing but print. */
export const outputLost: AbortSignal = lost.signal;

/**
 * From then on a lost output ends no command. What was to be printed is lost, and the exit code says so, unless the reader closed
 * the pipe (EPIPE), as `head` does when it has enough.
 */
export function outliveOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) neverWaitFor(stream);
  // Where progress and errors cannot be written there is no place left to say so.
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (lost.signal.aborted) return;
    lost.abort(error);
    if (error.code === 'EPIPE') return;
    process.stderr.write(`pl-vnm: cannot write the output: ${messageOf(error)}\n`);
    process.on('exit', () => {
      process.exitCode ||= exitCodes.failed;
    });
  });
}

/**
 * Node.js would stop the whole program, and a migration with it, while a terminal takes nothing more. What waits to be written is
 * kept instead, as for pipes; the program ends when it is written or lost.
 */
function neverWaitFor(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return;
  const { _handle: handle } = stream as unknown as { _handle: { setBlocking(on: boolean): unknown } };
  handle.setBlocking(false);
  // For whoever has the terminal then, where it is the same open file.
  process.on('exit', () => handle.setBlocking(true));
}
