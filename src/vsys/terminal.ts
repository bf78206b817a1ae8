/**
 * A terminal on a node for one command. Node.js cannot make one, so `script` of util-linux does; neither the agent nor
 * the SSH server needs to know about it. Pure.
 */
import * as z from 'zod';
import { posixWord } from '../model/posix-word.ts';

const length = z.int().min(1).max(9999);

export const terminalSchema = z.strictObject({
  rows: length,
  columns: length,
  /** The value of TERM. */
  type: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/),
});

export type Terminal = z.infer<typeof terminalSchema>;
export type TerminalSize = Pick<Terminal, 'rows' | 'columns'>;

const mark = 'pl-vnm-terminal';
const lack = 'none';

/**
 * `script` runs its command by $SHELL, which may be any program. Descriptor 3 is the standard error of the whole: the
 * command's own is the terminal.
 */
const makeTerminal = `command -v script >/dev/null 2>&1 || { echo ${mark} ${lack} >&2; exit 127; }
VNM_SHELL=$SHELL SHELL=/bin/sh
export VNM_SHELL SHELL
exec script -qfec "$1" /dev/null 3>&2`;

/**
 * Returns the words that run a command in a new terminal of this size and type. Before its output, its standard error
 * has a line for `readTerminalLine`; then all that the command prints is on its standard output.
 */
export function terminalWords({ rows, columns, type }: Terminal, command: readonly string[]): string[] {
  const inTerminal = [
    // A terminal that is made for what is none itself does not echo.
    `stty sane rows ${rows} cols ${columns}`,
    `echo "${mark} $(tty)" >&3`,
    'exec 3>&-',
    'if [ -n "$VNM_SHELL" ]; then SHELL=$VNM_SHELL; else unset SHELL; fi',
    'unset VNM_SHELL',
    `export TERM=${type}`,
    `exec ${command.map(posixWord).join(' ')}`,
  ];
  return ['sh', '-c', makeTerminal, 'sh', inTerminal.join('; ')];
}

/**
 * Reads a line of the standard error: the path of the terminal's device once that is there, null if the node cannot
 * make one, undefined for any other line.
 */
export function readTerminalLine(line: string): string | null | undefined {
  if (line === `${mark} ${lack}`) return null;
  const [, path] = line.match(/^pl-vnm-terminal (\/dev\/pts\/\d{1,9})$/) ?? [];
  return path;
}

/** Returns the words that change the size of a terminal; what runs there gets SIGWINCH. */
export function resizeWords(path: string, { rows, columns }: TerminalSize): string[] {
  return ['stty', '-F', path, 'rows', String(rows), 'cols', String(columns)];
}
