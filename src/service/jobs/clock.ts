import { createTask } from 'node-cron';
import type { Timing } from './due.ts';

/** The time as the jobs see it; tests put their own. */
export interface JobClock {
  /** Unix ms; may be set forth and back. */
  now(): number;
  /** Calls `body` once after so many ms, unless what it answers is called before. */
  after(ms: number, body: () => void): () => void;
  /** Calls `body` whenever the pattern is due, until it is stopped. */
  start(timing: Timing & { readonly cron: string }, body: () => void): Started;
}

export interface Started {
  /** When it will call next. */
  next(): number | undefined;
  stop(): void;
}

/** The machine's clock and timers, and node-cron. */
export const systemJobClock: JobClock = {
  now: () => Date.now(),
  after: (ms, body) => {
    const timer = setTimeout(body, ms);
    return () => clearTimeout(timer);
  },
  start: ({ cron, timezone }, body) => {
    // What it missed is found by the heartbeat, which knows better why.
    const task = createTask(cron, body, { timezone, suppressMissedWarning: true });
    void task.start();
    return {
      next: () => task.getNextRun()?.getTime(),
      stop: () => void task.destroy(),
    };
  },
};
