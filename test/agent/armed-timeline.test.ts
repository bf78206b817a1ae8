/** Tests when a timeline does what, with a clock that only moves when a test sets it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxLatenessMs, minLeadMs, Timeline } from '../../src/agent/armed/timeline.ts';
import type { ArmedOutcome, TimedAction } from '../../src/agent/armed/types.ts';

/** A timeline and its environment: an action takes 0.5 ms, and `broken` lines fail. */
function timelineAt(startMs: number) {
  const world = { nowMs: startMs, suspendedMs: 0 };
  const done: string[] = [];
  const outcomes = new Map<string, ArmedOutcome>();
  const timeline = new Timeline({
    monotonicMs: () => world.nowMs,
    suspendedMs: () => world.suspendedMs,
    perform: ({ step }) => {
      const lines = step as string[];
      done.push(...lines);
      world.nowMs += 0.5;
      return lines.includes('broken') ? 'it broke' : undefined;
    },
    report: (id, outcome) => void outcomes.set(id, structuredClone(outcome)),
  });
  return { world, done, outcomes, timeline };
}

function act(atMonotonicMs: number, ...lines: string[]): TimedAction {
  return { atMonotonicMs, step: lines };
}

describe('a timeline', () => {
  it('a timeline does each action at its instant, in order of time, and reports them in the order given', () => {
    const { world, done, outcomes, timeline } = timelineAt(1000);
    timeline.arm('a', [act(1200, 'a2'), act(1100, 'a1')]);
    timeline.arm('b', [act(1150, 'b1')]);
    expect(timeline.next()?.atMonotonicMs).toBe(1100);
    for (const dueMs of [1100, 1150, 1200]) {
      expect(timeline.next()?.atMonotonicMs).toBe(dueMs);
      world.nowMs = dueMs;
      timeline.fireNext();
    }
    expect(timeline.next()).toBeUndefined();
    expect(done).toEqual(['a1', 'b1', 'a2']);
    expect(outcomes.get('a')).toEqual({
      state: 'fired',
      actions: [
        { plannedMonotonicMs: 1200, startedMonotonicMs: 1200, finishedMonotonicMs: 1200.5 },
        { plannedMonotonicMs: 1100, startedMonotonicMs: 1100, finishedMonotonicMs: 1100.5 },
      ],
    });
  });

  it('a timeline refuses what is due too soon or in the past', () => {
    const { done, outcomes, timeline } = timelineAt(1000);
    expect(() => timeline.arm('a', [act(2000), act(1000 + minLeadMs - 0.1)])).toThrow(
      "'a' is armed too late: its instant is in 4.9 ms",
    );
    expect(() => timeline.arm('a', [act(990.5)])).toThrow("'a' is armed too late: its instant was 9.5 ms ago");
    timeline.arm('b', [act(1000 + minLeadMs)]);
    expect([...outcomes.keys()]).toEqual(['b']);
    expect(done).toEqual([]);
  });

  it('a timeline cancels until the first action begins, and afterwards continues to the last', () => {
    const { world, done, outcomes, timeline } = timelineAt(0);
    timeline.arm('a', [act(100, 'close'), act(200, 'open')]);
    timeline.arm('b', [act(100, 'never')]);
    timeline.cancel('b');
    timeline.cancel('unknown');
    world.nowMs = 100;
    timeline.fireNext();
    timeline.cancel('a');
    expect(outcomes.get('a')!.state).toBe('armed');
    world.nowMs = 200;
    timeline.fireNext();
    expect(done).toEqual(['close', 'open']);
    expect(outcomes.get('a')!.state).toBe('fired');
    expect(outcomes.get('b')).toEqual({ state: 'cancelled', actions: [{ plannedMonotonicMs: 100 }] });
  });

  it.each([
    ['of the thread', maxLatenessMs + 0.1, 0],
    ['of the machine, which the clock does not count', 0, maxLatenessMs + 0.1],
  ])('a timeline misses what it could not begin in time because of a sleep %s', (_name, lateMs, suspendedMs) => {
    const { world, done, outcomes, timeline } = timelineAt(0);
    world.suspendedMs = 77;
    timeline.arm('a', [act(100, 'a1'), act(200, 'a2')]);
    world.nowMs = 100 + lateMs;
    world.suspendedMs += suspendedMs;
    timeline.fireNext();
    expect(done).toEqual([]);
    expect(outcomes.get('a')).toEqual({
      state: 'missed',
      actions: [{ plannedMonotonicMs: 100 }, { plannedMonotonicMs: 200 }],
    });
    expect(timeline.next()).toBeUndefined();
  });

  it('a timeline finishes what it has begun, however late', () => {
    const { world, done, outcomes, timeline } = timelineAt(0);
    timeline.arm('a', [act(100, 'close'), act(200, 'open')]);
    world.nowMs = 100;
    timeline.fireNext();
    world.nowMs = 90_000;
    timeline.fireNext();
    expect(done).toEqual(['close', 'open']);
    expect(outcomes.get('a')).toMatchObject({ state: 'fired', actions: [{}, { startedMonotonicMs: 90_000 }] });
  });

  it('a timeline tries all actions although one fails', () => {
    const { world, done, outcomes, timeline } = timelineAt(0);
    timeline.arm('a', [act(100, 'broken'), act(200, 'open')]);
    for (world.nowMs = 100; timeline.next() !== undefined; world.nowMs += 100) timeline.fireNext();
    expect(done).toEqual(['broken', 'open']);
    expect(outcomes.get('a')).toMatchObject({ state: 'failed', actions: [{ error: 'it broke' }, {}] });
    expect(outcomes.get('a')!.actions[1]!.error).toBeUndefined();
  });

  it('a timeline is never early, whenever it is asked, and forgets nothing', () => {
    const instants = fc.array(fc.integer({ min: 10, max: 500 }), { minLength: 1, maxLength: 4 });
    const steps = fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 60 });
    const property = fc.property(fc.array(instants, { maxLength: 5 }), steps, (entries, waits) => {
      const { world, outcomes, timeline } = timelineAt(0);
      for (const [index, at] of entries.entries()) {
        timeline.arm(
          String(index),
          at.map((ms) => act(ms, 'x')),
        );
      }
      for (const waitMs of waits) {
        world.nowMs += waitMs;
        timeline.fireNext();
      }
      const actions = [...outcomes.values()].flatMap((outcome) => outcome.actions);
      expect(actions.map((action) => action.plannedMonotonicMs)).toEqual(entries.flat());
      const begun = actions.filter((action) => action.startedMonotonicMs !== undefined);
      for (const action of begun) expect(action.startedMonotonicMs).toBeGreaterThanOrEqual(action.plannedMonotonicMs);
      const left = actions.filter((action) => action.startedMonotonicMs === undefined);
      const earliest = left.length === 0 ? undefined : Math.min(...left.map((action) => action.plannedMonotonicMs));
      expect(timeline.next()?.atMonotonicMs).toBe(earliest);
    });
    fc.assert(property);
  });
});
