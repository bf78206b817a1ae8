import { expect, it, vi } from 'vitest';
import { type Call, withConfirmation } from '../../src/transport/confirm.ts';

it('a call says how long the node is to wait, and confirms an answer that asks for it', async () => {
  const asked = vi.fn(async (method: string) =>
    method === 'apply' ? { results: [], confirm: { token: 't', withinMs: 30_000 } } : {},
  );
  const call = withConfirmation(asked as unknown as Call, 30_000);
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
