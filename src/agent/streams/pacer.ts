import type { StreamClock } from './clock.ts';

/**
 * The longest time that one tick of the pacer sends; then the agent does other work that waits. If packets are still
 * due after that, the next tick follows at once: a sender that is slower than its rate must not sleep.
 */
const tickBudgetMs = 2;

/** A sender as the pacer sees it. */
export interface Paced {
  /** Monotonic ms of its next packet, or of its end if that is sooner. */
  dueAtMs(): number;
  /** Sends due packets: one, and more until `deadlineMs`. */
  sendDue(deadlineMs: number): void;
}

/** The single timer of all senders: with a timer each, their bursts would add up. */
export interface Pacer {
  add(paced: Paced): void;
  remove(paced: Paced): void;
}

export function createPacer(clock: Pick<StreamClock, 'monotonicMs'>): Pacer {
  const line = new Set<Paced>();
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;

  function sleep(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    timer = undefined;
    turn = undefined;
    if (line.size === 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const paced of line) next = Math.min(next, paced.dueAtMs());
    timer = setTimeout(tick, Math.max(1, Math.ceil(next - clock.monotonicMs())));
  }

  function tick(): void {
    const startedMs = clock.monotonicMs();
    const deadlineMs = startedMs + tickBudgetMs;
    for (const paced of [...line]) {
      if (clock.monotonicMs() >= deadlineMs) break;
      if (paced.dueAtMs() > startedMs) continue;
      // Move it to the end of the line, so that those that the deadline cuts off come first in the next tick.
      line.delete(paced);
      line.add(paced);
      paced.sendDue(deadlineMs);
    }
    sleep();
    if (timer === undefined || clock.monotonicMs() < deadlineMs) return;
    clearTimeout(timer);
    turn = setImmediate(tick);
  }

  return {
    add(paced) {
      line.add(paced);
      sleep();
    },
    remove(paced) {
      line.delete(paced);
      if (line.size === 0) sleep();
    },
  };
}
