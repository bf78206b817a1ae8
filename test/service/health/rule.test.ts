import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, best, defaultRule, type Evidence } from '../../../src/service/health/rule.ts';
import type { HealthState } from '../../../src/store/health.ts';

const { suspectAfter, downAfter, clearAfter, upAfter } = defaultRule;
const missed = (count: number): Evidence => ({ missed: count, answered: 0 });
const answered = (count: number): Evidence => ({ missed: 0, answered: count });
const after = (state: HealthState, looks: readonly (Evidence | undefined)[]) =>
  looks.reduce<HealthState>((now, evidence) => advance(now, evidence, defaultRule), state);

describe('a state', () => {
  it.each([
    ['up', missed(suspectAfter - 1), 'up'],
    ['up', missed(suspectAfter), 'suspect'],
    ['up', missed(downAfter), 'down'],
    ['suspect', missed(downAfter - 1), 'suspect'],
    ['suspect', missed(downAfter), 'down'],
    ['suspect', answered(clearAfter - 1), 'suspect'],
    ['suspect', answered(clearAfter), 'up'],
    ['down', missed(suspectAfter), 'down'],
    ['down', answered(upAfter - 1), 'down'],
    ['down', answered(upAfter), 'up'],
    ['unknown', answered(1), 'up'],
    ['unknown', missed(suspectAfter - 1), 'unknown'],
    ['unknown', missed(downAfter), 'down'],
  ] as const)('the state %s with %o becomes %s', (from, evidence, to) => {
    expect(advance(from, evidence, defaultRule)).toBe(to);
  });

  it('a state stays without evidence', () => {
    for (const state of ['unknown', 'up', 'suspect', 'down'] as const)
      expect(advance(state, undefined, defaultRule)).toBe(state);
  });

  it('a state does not flap while every other probe is lost', () => {
    const looks = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? missed(1) : answered(1)));
    expect(after('up', looks)).toBe('up');
    expect(after('down', looks)).toBe('down');
  });

  it('the same evidence twice changes nothing', () => {
    const evidence = fc.oneof(fc.nat(20).map(missed), fc.nat(20).map(answered));
    fc.assert(
      fc.property(fc.constantFrom<HealthState>('unknown', 'up', 'suspect', 'down'), evidence, (state, look) => {
        const once = advance(state, look, defaultRule);
        expect(advance(once, look, defaultRule)).toBe(once);
      }),
    );
  });

  it('a state that is down becomes up only after enough answers in a row', () => {
    const look = fc.oneof(fc.nat(8).map(missed), fc.nat(upAfter - 1).map(answered));
    fc.assert(
      fc.property(fc.array(look), (looks) => {
        expect(after('down', looks)).toBe('down');
      }),
    );
  });
});

describe('the best of several observations', () => {
  it('the best of no evidence is undefined', () => expect(best([])).toBeUndefined());
  it('an answer is better than any miss', () => expect(best([missed(4), answered(3), missed(1)])).toEqual(answered(3)));
  it('more answers in a row are better', () => expect(best([answered(1), answered(9)])).toEqual(answered(9)));
});
