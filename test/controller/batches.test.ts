import { expect, it } from 'vitest';
import { append, type Batches, mergeBatches } from '../../src/controller/batches/batches.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';

it('mergeBatches keeps the order of the operations of a node, also of more than a call takes as arguments', () => {
  const rule: OperationInput = { op: 'rule_up' };
  const many: Batches = new Map([['n1', Array.from({ length: 300_000 }, () => rule)]]);
  const last: Batches = new Map();
  append(last, 'n1', { op: 'rule_down' });
  append(last, 'n2', rule);
  const merged = mergeBatches(many, last);
  expect(merged.get('n1')!.length).toBe(300_001);
  expect([merged.get('n1')!.at(-2), merged.get('n1')!.at(-1)]).toEqual([rule, { op: 'rule_down' }]);
  expect(merged.get('n2')).toEqual([rule]);
});
