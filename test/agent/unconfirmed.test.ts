import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnconfirmed, type Unconfirmed } from '../../src/agent/dataplane/kernel/unconfirmed.ts';
import type { Command } from '../../src/agent/dataplane/planner/commands.ts';

const command = (name: string): Command => ({ do: { namespace: '', ip: [name] }, undo: [] });
const [one, two] = [command('one'), command('two')];

describe('an open batch', () => {
  let waiting: Unconfirmed;
  let takenBack: (readonly Command[])[];
  beforeEach(() => {
    vi.useFakeTimers();
    takenBack = [];
    waiting = createUnconfirmed({ write: () => {} }, (newest) => takenBack.push(waiting.takeBack(newest)));
  });
  afterEach(() => vi.useRealTimers());

  it('an open batch is undone after the timeout, and a late confirmation fails with the reason', () => {
    const { token, withinMs } = waiting.note([one], 10_000);
    vi.advanceTimersByTime(withinMs - 1);
    expect(takenBack).toEqual([]);
    vi.advanceTimersByTime(1);
    expect([takenBack, waiting.isOpen()]).toEqual([[[one]], false]);
    expect(() => waiting.confirm(token)).toThrow(
      expect.objectContaining({
        code: 'failed',
        message: 'the node undid the changes: the controller did not confirm them within 10 s',
      }),
    );
  });

  it('an open batch stays when it was confirmed, and when it was dropped', () => {
    waiting.confirm(waiting.note([one], 100).token);
    waiting.note([two], 100);
    waiting.drop();
    vi.advanceTimersByTime(1000);
    expect([takenBack, waiting.isOpen()]).toEqual([[], false]);
  });

  it('an open batch waits together with later ones, and any of the tokens confirms all', () => {
    const first = waiting.note([one], 100);
    vi.advanceTimersByTime(60);
    waiting.note([two], 100);
    vi.advanceTimersByTime(60);
    expect(takenBack).toEqual([]);
    waiting.confirm(first.token);
    waiting.note([one], 100);
    waiting.note([two], 100);
    vi.advanceTimersByTime(100);
    expect(takenBack).toEqual([[one, two]]);
  });

  it('a token that another one confirmed, or that was dropped, can be confirmed again', () => {
    const [first, second] = [waiting.note([one], 100), waiting.note([two], 100)];
    waiting.confirm(first.token);
    waiting.confirm(second.token);
    const third = waiting.note([one], 100);
    waiting.drop();
    waiting.confirm(third.token);
    vi.advanceTimersByTime(1000);
    expect([takenBack, waiting.isOpen()]).toEqual([[], false]);
  });

  it('an open batch is not undone by the timeout of an older one, nor confirmed by an unknown token', () => {
    const first = waiting.note([one], 100);
    waiting.note([two], 100);
    expect(waiting.takeBack(first.token)).toEqual([]);
    expect(() => waiting.confirm('nothing')).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(waiting.isOpen()).toBe(true);
    waiting.drop();
  });
});
