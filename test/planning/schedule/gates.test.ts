import { describe, expect, test } from 'vitest';
import type { Uncertainty } from '../../../src/planning/loss/types.ts';
import { noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { drainGates, gateDelayMs, gateRooms, holdGates } from '../../../src/planning/schedule/gates.ts';
import { flowOf } from '../arbitraries.ts';

const flows = [flowOf('a', 'b', 40, 25), flowOf('a', 'c', 30, 60), flowOf('b', 'a', 40, 41), flowOf('c', 'c', 0, 0)];
const uncertainty: Uncertainty = new Map([
  ['a', { clockMs: 1, latenessMs: 2, gateLatenessMs: 4 }],
  ['b', { clockMs: 8, latenessMs: 16, gateLatenessMs: 32 }],
]);

describe('holdGates', () => {
  test('holdGates keeps each gate closed while packets on the new path could overtake', () => {
    expect(holdGates(flows, noUncertainty)).toEqual(new Map([['a', { closeBeforeMs: 0, releaseAfterMs: 15 }]]));
  });

  test('holdGates closes each gate earlier by its lateness, and ignores clock errors', () => {
    expect(holdGates(flows, uncertainty)).toEqual(new Map([['a', { closeBeforeMs: 4, releaseAfterMs: 15 }]]));
  });
});

describe('drainGates', () => {
  test('drainGates closes each gate by its longest old latency before T', () => {
    expect(drainGates(flows, noUncertainty)).toEqual(
      new Map([
        ['a', { closeBeforeMs: 40, releaseAfterMs: 0 }],
        ['b', { closeBeforeMs: 40, releaseAfterMs: 0 }],
      ]),
    );
  });

  test('drainGates closes gates earlier by clock errors and lateness, and opens them later if these exceed the new latency', () => {
    // E of a and b: 1 + 8 + 16 = 25; of a and c: 1 + 2 = 3.
    expect(drainGates([...flows, flowOf('b', 'c', 9, 10)], uncertainty)).toEqual(
      new Map([
        ['a', { closeBeforeMs: 40 + 25 + 4, releaseAfterMs: 0 }],
        ['b', { closeBeforeMs: 40 + 25 + 32, releaseAfterMs: 8 + 16 - 10 }],
      ]),
    );
  });

  test('drainGates with a negative measured latency opens later, and closes no gate after its own redirection', () => {
    expect(drainGates([flowOf('a', 'c', -20, -30)], uncertainty)).toEqual(
      new Map([['a', { closeBeforeMs: 4, releaseAfterMs: 33 }]]),
    );
  });
});

test('gateDelayMs lasts from the closing of a gate to its opening, or to a late redirection', () => {
  const gate = { closeBeforeMs: 40, releaseAfterMs: 5 };
  expect(gateDelayMs(gate, { clockMs: 1, latenessMs: 2, gateLatenessMs: 3 })).toBe(45);
  expect(gateDelayMs(gate, { clockMs: 1, latenessMs: 9, gateLatenessMs: 3 })).toBe(49);
});

test('gateRooms counts all traffic of the end hosts, including flows that do not enter the VN', () => {
  const small = { ...flowOf('a', 'a', 0, 0), ratePerMs: 0.11, packetBytes: 100 };
  const gates = new Map([['a', { closeBeforeMs: 40, releaseAfterMs: 5 }]]);
  expect(gateRooms({ gates }, [...flows, small], uncertainty)).toEqual(
    new Map([['a', { packets: 45 + 45 + 5, bytes: (45 + 45) * 1512 + 5 * 100 }]]),
  );
});
