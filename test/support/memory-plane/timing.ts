/** Replaces the timing thread: armed actions of several nodes on one clock, which tests move. */
import type { TimingListeners, TimingThread } from '../../../src/agent/armed/thread.ts';
import { Timeline } from '../../../src/agent/armed/timeline.ts';
import type { Actuator } from '../../../src/agent/dataplane/actuator.ts';
import type { Clock } from '../../../src/clock/clock.ts';

export interface FakeTime {
  readonly clock: Clock;
  /** Advances the clock, and does each action that becomes due at its own instant. */
  advance(ms: number): void;
  start(actuator: Actuator, listeners: TimingListeners): TimingThread;
}

const startWallMs = 1_700_000_000_000;

export function createFakeTime(): FakeTime {
  const timelines = new Set<Timeline>();
  let nowMs = 1000;

  function nextOf(): { timeline: Timeline; atMs: number } | undefined {
    const due = [...timelines].flatMap((timeline) => {
      const next = timeline.next();
      return next === undefined ? [] : [{ timeline, atMs: next.atMonotonicMs }];
    });
    return due.toSorted((a, b) => a.atMs - b.atMs)[0];
  }

  return {
    clock: { monotonicMs: () => nowMs, wallMs: () => startWallMs + nowMs },
    advance(ms) {
      const endMs = nowMs + ms;
      for (let next = nextOf(); next !== undefined && next.atMs <= endMs; next = nextOf()) {
        nowMs = Math.max(nowMs, next.atMs);
        next.timeline.fireNext();
      }
      nowMs = endMs;
    },
    start(actuator, { onOutcome }) {
      const timeline = new Timeline({
        monotonicMs: () => nowMs,
        suspendedMs: () => 0,
        perform: ({ step }) => (step === undefined ? undefined : actuator.perform(step)),
        report: (id, outcome) => onOutcome(id, structuredClone(outcome)),
      });
      timelines.add(timeline);
      return {
        ready: Promise.resolve(),
        // A thread receives a clone.
        arm: async (id, actions) => timeline.arm(id, structuredClone(actions)),
        warm: async () => {},
        cancel: async (id) => timeline.cancel(id),
        end: async () => void timelines.delete(timeline),
      };
    },
  };
}
