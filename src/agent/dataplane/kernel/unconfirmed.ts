/**
 * Changes that may have cut the node's connection to the controller, until it has shown that they have not: it gets a
 * token with the answer, and sends it back. If it cannot, because the answers no longer arrive, everything is undone.
 *
 *     nothing open ──note──► open (tokens, inverses) ──confirm, drop──► nothing open
 *                              │  ▲ note: one more token, and the inverses in addition
 *                              └──┴─── timeout ──takeBack──► nothing open
 */
import { randomUUID } from 'node:crypto';
import { VnmError } from '../../../model/errors.ts';
import type { Confirmation } from '../../../vsys/messages.ts';
import type { Command } from '../planner/commands.ts';
import type { PendingFile } from './pending-file.ts';

export interface Unconfirmed {
  isOpen(): boolean;
  /**
   * Records that `commands` are about to be done; none: that they were not. If the agent were killed now, the next one
   * would undo them together with what is open.
   */
  expect(commands: readonly Command[]): void;
  /** Adds `commands`, which have been done, to what is open. Any of the tokens confirms all of it. */
  note(commands: readonly Command[], withinMs: number): Confirmation;
  /** Throws VnmError `failed` if it was undone, `not-found` for an unknown token. */
  confirm(token: string): void;
  /** Treats what is open as confirmed. */
  drop(): void;
  /**
   * Returns everything that is open, in the order in which it was done, and closes it. With a token, only if that is
   * the newest. The file stays until the commands have been undone.
   */
  takeBack(newest?: string): readonly Command[];
}

/** More than the number of commands that overlap on one node. */
const maxSettled = 64;

/** `onDue`: called with the newest token after the timeout; it must call `takeBack` in its turn. */
export function createUnconfirmed(file: Pick<PendingFile, 'write'>, onDue: (newest: string) => void): Unconfirmed {
  let open: { tokens: string[]; commands: readonly Command[]; withinMs: number; timer: NodeJS.Timeout } | undefined;
  /**
   * The tokens that were last confirmed or dropped: commands on two VNs overlap, and the later one still sends its
   * token.
   */
  let settled: readonly string[] = [];
  /** What was last undone. */
  let lost: { readonly tokens: readonly string[]; readonly withinMs: number } | undefined;

  function close(): void {
    clearTimeout(open?.timer);
    open = undefined;
  }

  function drop(): void {
    settled = [...settled, ...(open?.tokens ?? [])].slice(-maxSettled);
    if (open !== undefined) file.write([]);
    close();
  }

  return {
    isOpen: () => open !== undefined,
    expect: (commands) => file.write([...(open?.commands ?? []), ...commands]),
    note: (commands, withinMs) => {
      clearTimeout(open?.timer);
      const token = randomUUID();
      open = {
        tokens: [...(open?.tokens ?? []), token],
        commands: [...(open?.commands ?? []), ...commands],
        withinMs,
        timer: setTimeout(() => onDue(token), withinMs),
      };
      return { token, withinMs };
    },
    confirm: (token) => {
      if (open?.tokens.includes(token) === true) return drop();
      if (settled.includes(token)) return;
      if (lost?.tokens.includes(token) !== true) throw new VnmError('not-found', 'no batch is waiting for this token');
      throw new VnmError(
        'failed',
        `the node undid the changes: the controller did not confirm them within ${lost.withinMs / 1000} s`,
        {
          hint: 'compare the vnet with the addresses on the node: the changes may have cut its connection to the controller',
        },
      );
    },
    drop,
    takeBack: (newest) => {
      if (open === undefined || (newest !== undefined && open.tokens.at(-1) !== newest)) return [];
      const { commands } = open;
      lost = open;
      close();
      return commands;
    },
  };
}
