import { expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { minimise } from '../../../src/planning/schedule/linear-solver.ts';

const x = { factor: 1, variable: 'x' };

test('minimise returns the optimum and its variables', async () => {
  const rows = [{ terms: [x, { factor: -0.5, variable: 'y' }], atLeast: -1e-3 }];
  expect(await minimise({ objective: [x], rows, bounds: ['y >= 12.5'] })).toEqual({
    objective: 6.249,
    values: new Map([
      ['x', 6.249],
      ['y', 12.5],
    ]),
  });
});

test('minimise throws if there is no optimum', async () => {
  const rows = [
    { terms: [x], atLeast: 1 },
    { terms: [{ factor: -1, variable: 'x' }], atLeast: 0 },
  ];
  const infeasible = await minimise({ objective: [x], rows, bounds: [] }).catch((error) => error);
  expect(infeasible).toEqual(new VnmError('failed', "no optimal schedule: the linear program ended as 'Infeasible'"));
  const malformed = await minimise({ objective: [x], rows, bounds: ['x x'] }).catch((error) => error);
  expect(malformed).toBeInstanceOf(VnmError);
  expect(malformed.message).toMatch(/^no optimal schedule: Unable to read LP model/);
});
