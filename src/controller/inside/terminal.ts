/** Runs a command in a terminal on its node that follows the user's own one. */
import { Writable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { CommandEnd } from '../../vsys/messages.ts';
import { readTerminalLine, resizeWords, type Terminal, type TerminalSize } from '../../vsys/terminal.ts';
import type { Commands, ExecStreams } from './commands.ts';

/** The terminal in which this program runs. */
export interface OwnTerminal {
  readonly type: string;
  size(): TerminalSize;
  /** Calls the listener after each change of the size. Returns a function that ends this. */
  onResize(listener: () => void): () => void;
  /** From now on every key goes to the command, Ctrl-C as well. Returns a function that undoes this, at any end. */
  makeRaw(): () => void;
}

/**
 * As `Commands.run`. The own terminal is raw while the one on the node is there. If the node cannot make
 * one, runs the command without when that is `isOptional`, and else throws VnmError `unsupported`.
 */
export async function runInTerminal(
  { run, runBeside }: Commands,
  command: readonly string[],
  streams: ExecStreams,
  own: OwnTerminal,
  isOptional: boolean,
): Promise<CommandEnd> {
  const terminal: Terminal = { ...own.size(), type: own.type };
  let isLacking = false;
  const undo: (() => void)[] = [];
  const stderr = terminalLine(streams.stderr, (path) => {
    if (path === null) {
      isLacking = true;
      return;
    }
    const follow = following(own, terminal, (size) => runBeside(resizeWords(path, size)));
    undo.push(own.makeRaw(), own.onResize(follow));
    follow();
  });
  try {
    const end = await run(command, { ...streams, stderr }, terminal);
    if (!isLacking) return end;
    // Nothing has run yet.
    if (isOptional) return await run(command, streams);
    throw noTerminal();
  } finally {
    for (const one of undo) one();
    stderr.end();
  }
}

function noTerminal(): VnmError {
  return new VnmError('unsupported', "the node has no 'script', which makes terminals", {
    hint: 'install util-linux there (Debian: bsdutils), or run the command without a terminal: exec --no-tty',
  });
}

/** Returns a function that brings a changed size to the node, one change after the other. */
function following(own: OwnTerminal, start: TerminalSize, resize: (size: TerminalSize) => Promise<void>): () => void {
  let { rows, columns } = start;
  let isBusy = false;
  const follow = async () => {
    if (isBusy) return;
    isBusy = true;
    for (let size = own.size(); size.rows !== rows || size.columns !== columns; size = own.size()) {
      ({ rows, columns } = size);
      // Without it the command keeps its old size; it may also have ended.
      await resize(size).catch(() => {});
    }
    isBusy = false;
  };
  return () => void follow();
}

/** Passes on what is written, except the line that says which terminal the node has made. */
function terminalLine(to: Writable, found: (path: string | null) => void): Writable {
  let rest: Buffer | undefined = Buffer.alloc(0);
  const take = (chunk: Buffer): Buffer => {
    if (rest === undefined) return chunk;
    const passed: Buffer[] = [];
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.subarray(0, end + 1);
      rest = rest.subarray(end + 1);
      const path = readTerminalLine(line.toString().trimEnd());
      if (path !== undefined) {
        passed.push(rest);
        rest = undefined;
        found(path);
        break;
      }
      passed.push(line);
    }
    return Buffer.concat(passed);
  };
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const passed = take(chunk);
      if (passed.length === 0) done();
      else to.write(passed, done);
    },
    final: (done) => {
      if (rest === undefined || rest.length === 0) done();
      else to.write(rest, done);
    },
  });
}
