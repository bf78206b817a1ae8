import { expect, test } from 'vitest';
import { heuristicOffsets } from '../../../src/planning/schedule/heuristic.ts';
import { flowOf } from '../arbitraries.ts';

const gateways = ['a', 'b', 'c'];

test('heuristicOffsets serves the heaviest direction first, then the next with a gateway that is not set', () => {
  const flows = [
    flowOf('a', 'b', 10, 30, 1),
    flowOf('b', 'c', 60, 40, 3),
    flowOf('c', 'b', 7, 9, 2),
    flowOf('c', 'a', 100, 100, 2),
  ];
  // b -> c: difference 50; c -> a: difference 100; then a and b are both set.
  expect(heuristicOffsets({ gateways, flows })).toEqual(
    new Map([
      ['a', 150],
      ['b', 0],
      ['c', 50],
    ]),
  );
});

test('heuristicOffsets adds the weights of the flows of one direction', () => {
  const flows = [flowOf('a', 'b', 10, 30, 3), flowOf('b', 'a', 40, 40, 2), flowOf('b', 'a', 40, 40, 2)];
  expect(heuristicOffsets({ gateways: ['a', 'b'], flows })).toEqual(
    new Map([
      ['a', 40],
      ['b', 0],
    ]),
  );
});

test('heuristicOffsets prefers the first gateway by name between equal directions of a pair', () => {
  const flows = [flowOf('b', 'a', 7, 7), flowOf('a', 'b', 5, 5)];
  expect(heuristicOffsets({ gateways: ['a', 'b'], flows })).toEqual(
    new Map([
      ['a', 0],
      ['b', 5],
    ]),
  );
});

test('heuristicOffsets orders equal weights by the names of the pair, then of the source, whatever the order of the flows', () => {
  const flows = [flowOf('c', 'b', 6, 6), flowOf('b', 'c', 4, 4), flowOf('c', 'a', 2, 2), flowOf('b', 'a', 8, 8)];
  const expected = new Map([
    ['a', 8],
    ['b', 0],
    ['c', 6],
  ]);
  expect(heuristicOffsets({ gateways, flows })).toEqual(expected);
  expect(heuristicOffsets({ gateways, flows: flows.toReversed() })).toEqual(expected);
});
