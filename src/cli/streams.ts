/**
 * The program's outputs, which may fail or stall at any moment: a closed pipe, a full disk, a terminal that was closed
 * or stopped (Ctrl-S, a line that is down).
 */

import { messageOf } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';

const lost = new AbortController();

/** Aborts when stdout can no longer be written: for commands that only print. */
export const outputLost: AbortSignal = lost.signal;

/** Aborts with the signal, or when the output is lost. */
export function orOutputLost(signal: AbortSignal | undefined): AbortSignal {
  return AbortSignal.any([outputLost, ...(signal === undefined ? [] : [signal])]);
}

/**
 * Lets commands continue when an output is lost. The rest of the output is dropped, and the exit code shows the
 * failure, unless the reader closed the pipe (EPIPE), as `head` does when it has enough.
 */
export function surviveLostOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) makeNonBlocking(stream);
  // A failure to write to stderr cannot be reported anywhere.
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
 * Makes writes to a terminal non-blocking. Otherwise a stopped terminal would block the whole program, and a migration
 * with it. Output is buffered instead, as for pipes; the program ends when it is written or lost.
 */
function makeNonBlocking(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return;
  const { _handle: handle } = stream as unknown as { _handle: { setBlocking(on: boolean): unknown } };
  handle.setBlocking(false);
  // The next program on the terminal may share this open file.
  process.on('exit', () => handle.setBlocking(true));
}
