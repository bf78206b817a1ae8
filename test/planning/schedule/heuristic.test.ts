import { expect, test } from 'vitest';
import { heuristicOffsets } from '../../../src/planning/schedule/heuristic.ts';
import { flowOf } from '../arbitraries.ts';

const gateways = ['a', 'b', 'c'];

test('the heaviest direction is served first, then the next that has a gateway left', () => {
  const flows = [
    flowOf('a', 'b', 10, 30, 1),
    flowOf('b', 'c', 60, 40, 3),
    flowOf('c', 'b', 7, 9, 2),
    flowOf('c', 'a', 100, 100, 2),
  ];
  // b -> c: 50 apart; c -> a: 100 apart; a and b are both set by then.
  expect(heuristicOffsets({ gateways, flows })).toEqual(
    new Map([
      ['a', 150],
      ['b', 0],
      ['c', 50],
    ]),
  );
});

test('flows of one direction count together', () => {
  const flows = [flowOf('a', 'b', 10, 30, 3), flowOf('b', 'a', 40, 40, 2), flowOf('b', 'a', 40, 40, 2)];
  expect(heuristicOffsets({ gateways: ['a', 'b'], flows })).toEqual(
    new Map([
      ['a', 40],
      ['b', 0],
    ]),
  );
});

test('equal directions of one pair: the one from the first name', () => {
  const flows = [flowOf('b', 'a', 7, 7), flowOf('a', 'b', 5, 5)];
  expect(heuristicOffsets({ gateways: ['a', 'b'], flows })).toEqual(
    new Map([
      ['a', 0],
      ['b', 5],
    ]),
  );
});

test('equal weights: by name of the pair, then of the source, in whatever order the flows come', () => {
  const flows = [flowOf('c', 'b', 6, 6), flowOf('b', 'c', 4, 4), flowOf('c', 'a', 2, 2), flowOf('b', 'a', 8, 8)];
  const expected = new Map([
    ['a', 8],
    ['b', 0],
    ['c', 6],
  ]);
  expect(heuristicOffsets({ gateways, flows })).toEqual(expected);
  expect(heuristicOffsets({ gateways, flows: flows.toReversed() })).toEqual(expected);
});
