import { createTask } from 'node-cron';
import type { Timing } from './due.ts';

/** The clock and timers of the jobs; tests replace them. */
export interface JobClock {
  /** Unix ms; the clock may be set forward and back. */
  now(): number;
  /** Calls `body` once after `ms`. Call the returned function to cancel that. */
  after(ms: number, body: () => void): () => void;
  /** Calls `body` whenever the pattern is due, until the task is stopped. */
  start(timing: Timing & { readonly cron: string }, body: () => void): CronTask;
}

export interface CronTask {
  /** Returns the time of the next call, in Unix ms. */
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
    // The heartbeat finds missed runs, and reports them with their cause.
    const task = createTask(cron, body, { timezone, suppressMissedWarning: true });
    void task.start();
    return {
      next: () => task.getNextRun()?.getTime(),
      stop: () => void task.destroy(),
    };
  },
};
