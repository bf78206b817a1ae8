/** Opens sessions on one connection, as many at a time as the server allows (sshd's MaxSessions). */
import type { ClientChannel } from 'ssh2';
import type { VnmError } from '../model/errors.ts';
import type { TimeLimits } from '../model/patience.ts';
import { sleepUnless } from './sleep.ts';

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
 * Opens as `open` does. Where that throws `SessionRefused`, tries again when one of the other sessions has closed, or
 * after a short while if there is none. In the end it throws the reason.
 */
export function openInTurns(
  open: (command: string) => Promise<ClientChannel>,
  { stepMs }: Pick<TimeLimits, 'stepMs'>,
  { signal }: { signal?: AbortSignal | undefined },
): (command: string) => Promise<ClientChannel> {
  const others = new Set<Promise<void>>();
  const keep = (channel: ClientChannel): ClientChannel => {
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve())).then(() => {
      others.delete(closed);
    });
    others.add(closed);
    return channel;
  };
  return async (command) => {
    const deadlineMs = performance.now() + stepMs;
    const pauses = [...pausesMs];
    for (;;) {
      try {
        return keep(await open(command));
      } catch (error) {
        if (!(error instanceof SessionRefused)) throw error;
        const leftMs = deadlineMs - performance.now();
        const pauseMs = others.size > 0 ? leftMs : pauses.shift();
        if (leftMs <= 0 || pauseMs === undefined || signal?.aborted) throw error.reason;
        await Promise.race([...others, sleepUnless(signal, Math.min(pauseMs, leftMs))]);
      }
    }
  };
}
