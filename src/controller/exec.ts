/** Runs a program at a router, a gateway or an end host of a VN. */
import { constants } from 'node:os';
import type { Slice } from '../model/slice.ts';
import { checkCommand } from '../transport/remote-command.ts';
import type { CommandEnd } from '../vsys/messages.ts';
import type { Context } from './base/context.ts';
import { atPlace } from './inside/access.ts';
import { commandsAt, type ExecStreams } from './inside/commands.ts';
import { findPlace } from './inside/place.ts';
import { type OwnTerminal, runInTerminal } from './inside/terminal.ts';

export interface ExecRequest {
  readonly slice: Slice;
  /** Name of a VN; only needed where several have a place of that name. */
  readonly vn?: string | undefined;
  /** Name of a router, a gateway or an end host, as `findPlace` reads it. */
  readonly place: string;
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** Where the command gets a terminal: the user's own. */
  readonly terminal?: OwnTerminal | undefined;
  /** Whether it runs without a terminal on a node that cannot make one. */
  readonly isTerminalOptional?: boolean;
}

export interface ExecResult {
  readonly command: readonly string[];
  /** 128 plus the number of the signal that ended it, as in shells. */
  readonly exitCode: number;
}

/**
 * Runs the command until it ends, with its streams joined to these. Throws VnmError `not-found` (no such place, VN not
 * installed), `usage`, `forbidden` (by the policy), `unsupported` or `conflict` (nothing can run there now),
 * `interrupted` once the command has been ended, `unreachable`.
 */
export async function exec(context: Context, request: ExecRequest, streams: ExecStreams): Promise<ExecResult> {
  const { slice, vn, place: text, command, terminal, isTerminalOptional = false } = request;
  checkCommand(command);
  const place = findPlace(slice, text, vn);
  const end = await atPlace(context, slice, place, (access) => {
    const commands = commandsAt(context, slice, place, access);
    if (terminal === undefined) return commands.run(command, streams);
    return runInTerminal(commands, command, streams, terminal, isTerminalOptional);
  });
  return { command, exitCode: exitCodeOf(end) };
}

function exitCodeOf({ code, signal }: CommandEnd): number {
  return code ?? 128 + (constants.signals[`SIG${signal}` as NodeJS.Signals] ?? 0);
}

/**
 * The words that start the user's shell on a node: that of the login, unless it only refuses logins. An agent's
 * commands have no SHELL.
 */
export const shellCommand = [
  'sh',
  '-c',
  [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell reads it
    'shell=${SHELL:-$(getent passwd "$(id -u)" | cut -d : -f 7)}',
    'case $shell in *nologin | *false) shell=/bin/sh;; esac',
    '[ -x "$shell" ] || shell=/bin/sh',
    'export SHELL="$shell"',
    'exec "$shell"',
  ].join('; '),
] as const;
