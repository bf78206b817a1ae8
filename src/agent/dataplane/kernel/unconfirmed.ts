/**
 * What may have cut the way to this node, until the controller has shown that it has not: it gets a token with the answer, and sends
 * it back. Who does not get the answers any more cannot do that, and then everything is taken back.
 *
 *     nothing open ──note──► open (tokens, inverses) ──confirm, drop──► nothing open
 *                              │  ▲ note: one more token, and the inverses in addition
 *                              └──┴─── time is over ──takeBack──► nothing open
 */
import { randomUUID } from 'node:crypto';
import { VnmError } from '../../../model/errors.ts';
import type { Confirmation } from '../../../vsys/messages.ts';
import type { Command } from './commands.ts';
import type { PendingFile } from './pending-file.ts';

export interface Unconfirmed {
  isOpen(): boolean;
  /** `commands` are about to be done; none: they were not. Were the agent killed now, the next one takes them back with what is open. */
  expect(commands: readonly Command[]): void;
  /** `commands`, which have been done, are open from now on, with what is open already. Any of the tokens confirms all of it. */
  note(commands: readonly Command[], withinMs: number): Confirmation;
  /** Throws VnmError `failed` when it was taken back, `not-found` for what is no token. */
  confirm(token: string): void;
  /** What is open counts as confirmed. */
  drop(): void;
  /**
   * All that is open, in the order in which it was done; from now on nothing is. With a token only if that is the newest. The file stays
   * until it has been done.
   */
  takeBack(newest?: string): readonly Command[];
}

/** More than commands overlap on one node. */
const maxSettled = 64;

/** `onDue` is called with the newest token when the time is over; it is to take back in its turn. */
export function createUnconfirmed(file: Pick<PendingFile, 'write'>, onDue: (newest: string) => void): Unconfirmed {
  let open: { tokens: string[]; commands: readonly Command[]; withinMs: number; timer: NodeJS.Timeout } | undefined;
  /** Tokens of what was confirmed or dropped last: commands on two VNs overlap, and the later one still sends its token. */
  let settled: readonly string[] = [];
  /** What was taken back last. */
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
      if (lost?.tokens.includes(token) !== true) throw new VnmError('not-found', 'no batch waits for this token');
      throw new VnmError(
        'failed',
        `the node took back what was installed: the controller did not confirm it within ${lost.withinMs / 1000} s`,
        { hint: 'it may have cut the way from the node to the controller: compare the vnet with the addresses on it' },
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
