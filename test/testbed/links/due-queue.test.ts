import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from '../../../src/testbed/links/due-queue.ts';

test('an empty queue has nothing due', () => {
  const queue = new DueQueue<string>();
  expect([queue.nextDueMs(), queue.take()]).toEqual([Number.POSITIVE_INFINITY, undefined]);
});

test('items leave by their instants, and those of one instant in the order they came, as in a sorted list', () => {
  const step = fc.option(fc.integer({ min: 0, max: 20 }), { nil: 'take' as const });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new DueQueue<number>();
      const model: { dueMs: number; item: number }[] = [];
      for (const [item, dueMs] of steps.entries()) {
        if (dueMs === 'take') {
          expect(queue.take()).toBe(model.shift()?.item);
        } else {
          queue.add(item, dueMs);
          const later = model.findIndex((entry) => entry.dueMs > dueMs);
          model.splice(later < 0 ? model.length : later, 0, { dueMs, item });
        }
        expect(queue.nextDueMs()).toBe(model[0]?.dueMs ?? Number.POSITIVE_INFINITY);
      }
    }),
  );
});
