import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPacer, type Paced } from '../../src/agent/streams/pacer.ts';
import { burstLimit, dueAt, dueCount, intervalOf } from '../../src/agent/streams/pacing.ts';

describe('the schedule of a stream', () => {
  it('the schedule of a stream spaces packets by payload bits over rate', () => {
    expect(intervalOf(1250, 1e6)).toBe(10);
    expect(intervalOf(1470, 235_200_000)).toBe(0.05);
  });

  it('packet k of a stream is due at start + k * interval', () => {
    const schedule = { startMs: 100, intervalMs: 10 };
    const due = (nowMs: number, sent: number) => dueCount(schedule, nowMs, sent);
    expect(due(99, 0)).toBe(0);
    expect(due(100, 0)).toBe(1);
    expect(due(100, 1)).toBe(0);
    expect(due(109, 1)).toBe(0);
    expect(due(110, 1)).toBe(1);
    expect(due(155, 2)).toBe(4);
    expect(due(105, 9)).toBe(0);
    expect(dueAt(schedule, 0)).toBe(100);
    expect(dueAt(schedule, 3)).toBe(130);
  });

  it('one tick may send eight milliseconds of packets, and at least four packets', () => {
    expect(burstLimit(1000)).toBe(4);
    expect(burstLimit(2)).toBe(4);
    expect(burstLimit(1)).toBe(8);
    expect(burstLimit(0.05)).toBe(160);
  });

  it('the schedule keeps the average rate over any pauses, in bounded bursts', () => {
    const pauses = fc.array(fc.double({ min: 0.5, max: 200, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(pauses, fc.constantFrom(0.05, 0.2, 1, 7.3, 100), (pausesMs, intervalMs) => {
        const schedule = { startMs: 3, intervalMs };
        let nowMs = 3;
        let sent = 0;
        const tick = () => {
          const burst = Math.min(dueCount(schedule, nowMs, sent), burstLimit(intervalMs));
          sent += burst;
          expect(burst).toBeLessThanOrEqual(burstLimit(intervalMs));
        };
        for (const pauseMs of pausesMs) {
          nowMs += pauseMs;
          tick();
        }
        // After the last pause there is a tick each millisecond again, and the backlog is gone within its own length.
        for (let k = 0; k < (nowMs - 3) / 2 + 2; k += 1) {
          nowMs += 1;
          tick();
        }
        expect(dueCount(schedule, nowMs, sent)).toBe(0);
        expect(sent).toBe(Math.floor((nowMs - 3) / intervalMs) + 1);
      }),
    );
  });
});

describe('the pacer', () => {
  beforeEach(
    () =>
      void vi.useFakeTimers({
        toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
      }),
  );
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** Time that passes inside a tick. */
  let workMs = 0;
  const clock = { monotonicMs: () => performance.now() + workMs };

  /** A sender that takes `costMs` for a packet and records when it sent. */
  function sender(intervalMs: number, costMs = 0): Paced & { readonly sentAtMs: number[] } {
    const startMs = clock.monotonicMs();
    const sentAtMs: number[] = [];
    return {
      sentAtMs,
      dueAtMs: () => startMs + sentAtMs.length * intervalMs,
      sendDue() {
        sentAtMs.push(clock.monotonicMs() - startMs);
        workMs += costMs;
      },
    };
  }

  it('the pacer wakes when the next packet of any sender is due, after at least a millisecond', () => {
    const pacer = createPacer(clock);
    const slow = sender(25);
    const fast = sender(10);
    pacer.add(slow);
    pacer.add(fast);
    vi.advanceTimersByTime(52);
    expect(slow.sentAtMs).toEqual([1, 25, 50]);
    expect(fast.sentAtMs).toEqual([1, 10, 20, 30, 40, 50]);
  });

  it('the pacer sleeps for good when no sender is left', () => {
    const pacer = createPacer(clock);
    const only = sender(10);
    pacer.add(only);
    vi.advanceTimersByTime(15);
    pacer.remove(only);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(100);
    expect(only.sentAtMs).toEqual([1, 10]);
  });

  it('the pacer ends a tick after two milliseconds and continues with the senders that it left out', () => {
    const pacer = createPacer(clock);
    const senders = [1, 2, 3, 4].map(() => sender(1000, 1.2));
    for (const each of senders) pacer.add(each);
    const counts = () => senders.map((each) => each.sentAtMs.length);
    vi.advanceTimersToNextTimer();
    expect(counts()).toEqual([1, 1, 0, 0]);
    vi.advanceTimersToNextTimer();
    expect(counts()).toEqual([1, 1, 1, 1]);
  });

  it('senders that are slower than their rates are continued without a sleep, and the others after one', () => {
    // A false clock lets an immediate take a millisecond, so it is the calls that tell.
    const [turns, sleeps] = [vi.spyOn(globalThis, 'setImmediate'), vi.spyOn(globalThis, 'clearImmediate')];
    const pacer = createPacer(clock);
    const slow = [sender(0.1, 1.2), sender(0.1, 1.2)];
    for (const each of slow) pacer.add(each);
    for (let turn = 0; turn < 10; turn += 1) vi.advanceTimersToNextTimer();
    expect(slow.map((each) => each.sentAtMs.length)).toEqual([10, 10]);
    expect(turns).toHaveBeenCalledTimes(10);
    for (const each of slow) pacer.remove(each);
    expect(vi.getTimerCount()).toBe(0);
    expect(sleeps).toHaveBeenCalled();
    pacer.add(sender(10));
    for (let turn = 0; turn < 10; turn += 1) vi.advanceTimersToNextTimer();
    expect(turns).toHaveBeenCalledTimes(10);
  });
});
