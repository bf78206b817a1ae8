/** The terminal in which this program runs, for commands on nodes. */
import { spawnSync } from 'node:child_process';
import type { OwnTerminal } from '../controller/inside/terminal.ts';
import { VnmError } from '../model/errors.ts';
import { terminalSchema } from '../vsys/terminal.ts';

type Streams = Pick<NodeJS.Process, 'stdin' | 'stdout'>;

/** Whether a command can have a terminal: its input and its output both are one. */
export function isTerminal({ stdin, stdout }: Streams = process): boolean {
  return stdin.isTTY === true && stdout.isTTY === true;
}

/** What holds where a terminal does not say it, or nonsense. */
const usual = { rows: 24, columns: 80, type: 'dumb' };

/** Throws VnmError `usage` without a terminal. */
export function ownTerminal(hint: string, streams: Streams = process, type = process.env.TERM): OwnTerminal {
  const { stdin, stdout } = streams;
  if (!isTerminal(streams)) {
    throw new VnmError('usage', `${stdin.isTTY === true ? 'stdout' : 'stdin'} is not a terminal`, { hint });
  }
  const { shape } = terminalSchema;
  return {
    type: shape.type.safeParse(type).data ?? usual.type,
    size: () => ({
      rows: shape.rows.safeParse(stdout.rows).data ?? usual.rows,
      columns: shape.columns.safeParse(stdout.columns).data ?? usual.columns,
    }),
    onResize: (listener) => {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
    makeRaw: () => {
      const restore = () => {
        process.off('exit', restore);
        if (!stdin.destroyed) stdin.setRawMode(false);
      };
      // Also where this program ends by an error of its own.
      process.once('exit', restore);
      stdin.setRawMode(true);
      // Node.js leaves the processing of outputs on, which the terminal on the node has done already.
      spawnSync('stty', ['-opost'], { stdio: [stdin.fd, 'ignore', 'ignore'] });
      return restore;
    },
  };
}
