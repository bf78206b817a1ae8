import { expect, it, vi } from 'vitest';
import { type Call, confirming } from '../../src/transport/confirm.ts';

it('tells the node how long to wait, and confirms what the answer asks for', async () => {
  const asked = vi.fn(async (method: string) =>
    method === 'apply' ? { results: [], confirm: { token: 't', withinMs: 30_000 } } : {},
  );
  const call = confirming(asked as unknown as Call, 30_000);
  await call('apply', { operations: [] });
  await call('apply', { operations: [], confirmWithinMs: 500 });
  await call('inventory', {});
  expect(asked.mock.calls.map((words) => words.slice(0, 2))).toEqual([
    ['apply', { operations: [], confirmWithinMs: 30_000 }],
    ['confirm', { token: 't' }],
    ['apply', { operations: [], confirmWithinMs: 500 }],
    ['confirm', { token: 't' }],
    ['inventory', {}],
  ]);
});
