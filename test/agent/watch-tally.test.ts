import { describe, expect, it } from 'vitest';
import { createTally, type Tally } from '../../src/agent/watches/tally.ts';

const timeoutMs = 50;

/** Probes 0, 1, ... at the given times. */
function tallyOf(...timesMs: number[]): Tally {
  const tally = createTally();
  timesMs.forEach((sentAtMs, sequence) => {
    tally.sent({ sequence, sentAtMs, deadlineMs: sentAtMs + timeoutMs });
  });
  return tally;
}

const nothing = { sent: 0, answered: 0, missedInRow: 0, answeredInRow: 0 };

describe('the tally of a target', () => {
  it('the tally of a target has no time and no answer before the first one', () => {
    const tally = tallyOf(100);
    tally.judge(149.9);
    expect(tally.report(149.9)).toEqual({ ...nothing, sent: 1 });
  });

  it('the tally counts a probe as missed once, from its deadline on', () => {
    const tally = tallyOf(100);
    expect(tally.nextDeadlineMs()).toBe(150);
    tally.judge(150);
    tally.judge(1000);
    expect(tally.report(1000)).toEqual({ ...nothing, sent: 1, missedInRow: 1 });
    expect(tally.nextDeadlineMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('the tally measures the round trip, and the time since the last answer', () => {
    const tally = tallyOf(100);
    tally.heard(110.5, 0);
    tally.judge(1000);
    expect(tally.report(130)).toEqual({
      ...nothing,
      sent: 1,
      answered: 1,
      answeredInRow: 1,
      rttMs: 10.5,
      sinceAnswerMs: 19.5,
    });
  });

  it('the tally counts answers in a row since the last miss, and misses in a row since the last answer', () => {
    const tally = tallyOf(0, 100, 200, 300, 400);
    tally.heard(1, 0);
    tally.heard(101, 1);
    tally.judge(300);
    expect(tally.report(300)).toMatchObject({ answered: 2, answeredInRow: 0, missedInRow: 1 });
    tally.judge(350);
    expect(tally.report(350)).toMatchObject({ answered: 2, answeredInRow: 0, missedInRow: 2 });
    tally.heard(401, 4);
    expect(tally.report(401)).toMatchObject({ answered: 3, answeredInRow: 1, missedInRow: 0 });
  });

  it('the tally counts probes lost before an answer neither as missed nor as answered', () => {
    const tally = tallyOf(0, 20, 40);
    tally.heard(41, 2);
    tally.judge(1000);
    expect(tally.report(41)).toMatchObject({ sent: 3, answered: 1, answeredInRow: 1, missedInRow: 0 });
  });

  it('the tally counts probes sent after the last answer as missed', () => {
    const tally = tallyOf(0, 20, 40);
    tally.heard(20, 0);
    tally.judge(1000);
    expect(tally.report(1000)).toMatchObject({ answered: 1, answeredInRow: 0, missedInRow: 1 });
  });

  it('the tally counts a packet after the deadline as a sign of life, not as an answer', () => {
    const tally = tallyOf(0);
    tally.judge(60);
    tally.heard(80, 0);
    expect(tally.report(80)).toEqual({ ...nothing, sent: 1, sinceAnswerMs: 0 });
  });

  it('the tally counts an answer that was read before the probe was judged, but not its time', () => {
    const tally = tallyOf(0);
    tally.heard(80, 0);
    tally.judge(80);
    expect(tally.report(80)).toEqual({ ...nothing, sent: 1, answered: 1, answeredInRow: 1, sinceAnswerMs: 0 });
  });

  it('the tally ignores an echo that arrives twice, or belongs to no probe', () => {
    const tally = tallyOf(0);
    for (const sequence of [0, 0, 7]) tally.heard(10, sequence);
    expect(tally.report(10)).toMatchObject({ answered: 1, answeredInRow: 1 });
  });

  it('the tally assigns an echo to its own probe when the round trip takes longer than the interval', () => {
    const tally = tallyOf(0, 20, 40);
    tally.heard(45, 0);
    tally.heard(66, 1);
    expect(tally.report(66)).toMatchObject({ answered: 2, rttMs: 46 });
  });

  it('the tally assigns an answer without a number to the last probe sent before', () => {
    const tally = tallyOf(0, 20);
    tally.heard(20);
    expect(tally.report(20)).toMatchObject({ answered: 1, rttMs: 20 });
    tally.heard(25);
    expect(tally.report(25)).toMatchObject({ answered: 2, rttMs: 5 });
    tally.heard(26);
    expect(tally.report(26)).toMatchObject({ answered: 2, rttMs: 5 });
  });

  it('the tally forgets probes in progress without judging them', () => {
    const tally = tallyOf(0, 100);
    tally.judge(60);
    tally.forget();
    tally.judge(1000);
    expect(tally.report(1000)).toEqual({ ...nothing, sent: 2, missedInRow: 1 });
    tally.heard(1001, 1);
    expect(tally.report(1001)).toMatchObject({ answered: 0, missedInRow: 0 });
  });
});
