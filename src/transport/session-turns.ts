/** Opens sessions on one connection, as many at a time as the server allows (sshd's MaxSessions). */
import type { VnmError } from '../model/errors.ts';
import type { TimeLimits } from '../model/patience.ts';
import { sleepUnless } from './sleep.ts';
import type { SshChannel } from './ssh-types.ts';

/** The server does not open a session now. */
export class SessionRefused extends Error {
  readonly reason: VnmError;

  constructor(reason: VnmError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** A server may take a while to notice that a session is closed. */
const pausesMs = [50, 100, 200, 400, 800, 1600];

/**
 * Opens as `open` does. Where that throws `SessionRefused`, tries again, one request after the other: when one of the
 * open sessions has closed, or after a short while if there is none. In the end it throws the reason.
 */
export function openInTurns(
  open: (command: string) => Promise<SshChannel>,
  { stepMs }: Pick<TimeLimits, 'stepMs'>,
  { signal }: { signal?: AbortSignal | undefined },
): (command: string) => Promise<SshChannel> {
  const others = new Set<Promise<void>>();
  let lastTurn: Promise<unknown> = Promise.resolve();
  const attempt = async (command: string): Promise<SshChannel> => {
    const channel = await open(command);
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve())).then(() => {
      others.delete(closed);
    });
    others.add(closed);
    return channel;
  };
  const tryAgain = async (command: string, deadlineMs: number, refused: SessionRefused): Promise<SshChannel> => {
    let reason = refused.reason;
    let pauses = [...pausesMs];
    for (;;) {
      if (others.size > 0) pauses = [...pausesMs];
      const leftMs = deadlineMs - performance.now();
      const pauseMs = others.size > 0 ? leftMs : pauses.shift();
      if (leftMs <= 0 || pauseMs === undefined || signal?.aborted) throw reason;
      await Promise.race([...others, sleepUnless(signal, Math.min(pauseMs, leftMs))]);
      try {
        return await attempt(command);
      } catch (error) {
        if (!(error instanceof SessionRefused)) throw error;
        reason = error.reason;
      }
    }
  };
  return async (command) => {
    const deadlineMs = performance.now() + stepMs;
    try {
      return await attempt(command);
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      // Requests that try at once would refuse each other until one of them gives up.
      const turn = lastTurn.then(() => tryAgain(command, deadlineMs, error));
      lastTurn = turn.catch(() => undefined);
      return turn;
    }
  };
}
