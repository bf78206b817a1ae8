/** Jump hosts: one connection to each carries the connections to all servers behind it. */
import { VnmError } from '../model/errors.ts';
import { shared } from './shared.ts';
import { because, interrupted, nameOf, unreachable } from './ssh-errors.ts';
import type { Ending, SshOptions, SshServer } from './ssh-types.ts';

interface Connection {
  readonly ending: Ending;
  close(): void;
}

/**
 * Connects through the jump hosts to the last of them; undefined without any. `release` gives them back. Throws
 * VnmError `unreachable` about `end`, with the reason why a jump host cannot be reached, or `interrupted`.
 */
type TakeJumps<T> = (
  jumps: readonly SshServer[],
  end: SshServer,
  options: SshOptions,
) => Promise<{ readonly last: T; readonly release: () => void } | undefined>;

/** How long a closed connection may take to end before the jump host before it is given back all the same. */
const endMs = 1000;

/** Gives the jump host back when the connection has ended; the returned function closes the connection. */
export function closerOf({ ending, close }: Connection, release: () => void): () => void {
  ending.onEnd(release);
  return () => {
    close();
    setTimeout(release, endMs).unref();
  };
}

/** `connect`: makes a connection to one server through the one before it, if there is one. */
export function jumpPool<T extends Connection>(
  connect: (server: SshServer, options: SshOptions, before: T | undefined) => Promise<T>,
): TakeJumps<T> {
  const pool = shared<{ readonly connection: T; readonly close: () => void }>(
    ({ close }) => close(),
    ({ connection }, ended) => connection.ending.onEnd(ended),
  );
  const take: TakeJumps<T> = async (jumps, end, options) => {
    const server = jumps.at(-1);
    if (server === undefined) return undefined;
    const { signal } = options;
    const open = async (signal: AbortSignal) => {
      const own = { ...options, signal };
      const before = await take(jumps.slice(0, -1), server, own);
      try {
        const connection = await connect(server, own, before?.last);
        return { connection, close: closerOf(connection, () => before?.release()) };
      } catch (error) {
        before?.release();
        throw error;
      }
    };
    try {
      const { value, release } = await pool.take(keyOf(jumps, options), signal, open);
      return { last: value.connection, release };
    } catch (error) {
      if (signal?.aborted) throw interrupted(`the connection to ${nameOf(end)}`, signal);
      if (!(error instanceof VnmError)) throw error;
      throw unreachable(end, because(error), error);
    }
  };
  return take;
}

/** The same servers with other keys or other known hosts are other connections. */
function keyOf(jumps: readonly SshServer[], { acceptNewHostKeys }: SshOptions): string {
  return JSON.stringify([jumps.map(({ node: _, patience: __, ...server }) => server), acceptNewHostKeys]);
}
