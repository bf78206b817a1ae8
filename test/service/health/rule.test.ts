import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, best, defaultRule, type Evidence } from '../../../src/service/health/rule.ts';
import type { HealthState } from '../../../src/store/health.ts';

const { suspectAfter, downAfter, clearAfter, upAfter } = defaultRule;
const missed = (count: number): Evidence => ({ missed: count, answered: 0 });
const answered = (count: number): Evidence => ({ missed: 0, answered: count });
const after = (state: HealthState, looks: readonly (Evidence | undefined)[]) =>
  looks.reduce<HealthState>((now, evidence) => advance(now, evidence, defaultRule), state);

describe('the state of something', () => {
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
  ] as const)('from %s by %o is %s', (from, evidence, to) => {
    expect(advance(from, evidence, defaultRule)).toBe(to);
  });

  it('stays where no probe can tell', () => {
    for (const state of ['unknown', 'up', 'suspect', 'down'] as const)
      expect(advance(state, undefined, defaultRule)).toBe(state);
  });

  it('does not flap where every other probe is lost', () => {
    const looks = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? missed(1) : answered(1)));
    expect(after('up', looks)).toBe('up');
    expect(after('down', looks)).toBe('down');
  });

  it('is the same when the same evidence comes once more', () => {
    const evidence = fc.oneof(fc.nat(20).map(missed), fc.nat(20).map(answered));
    fc.assert(
      fc.property(fc.constantFrom<HealthState>('unknown', 'up', 'suspect', 'down'), evidence, (state, look) => {
        const once = advance(state, look, defaultRule);
        expect(advance(once, look, defaultRule)).toBe(once);
      }),
    );
  });

  it('is never up again after down without enough answers in a row', () => {
    const look = fc.oneof(fc.nat(8).map(missed), fc.nat(upAfter - 1).map(answered));
    fc.assert(
      fc.property(fc.array(look), (looks) => {
        expect(after('down', looks)).toBe('down');
      }),
    );
  });
});

describe('several looks at one thing', () => {
  it('are none where there is none', () => expect(best([])).toBeUndefined());
  it('are as good as the best', () => expect(best([missed(4), answered(3), missed(1)])).toEqual(answered(3)));
  it('count the longest row of answers', () => expect(best([answered(1), answered(9)])).toEqual(answered(9)));
});
