/** The plane in memory, on which tests of the controller run, plays daemons: they run, and know no neighbours. */
import { expect, it } from 'vitest';
import type { OperationInput } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';
import { startMemoryNode } from '../../support/memory-plane/node.ts';
import { createFakeTime } from '../../support/memory-plane/timing.ts';

it('a plane in memory has the daemons that a batch starts, and they end with their namespace', async () => {
  const { call, end } = startMemoryNode(new Map(), '192.0.2.1', testPolicy('r-'), createFakeTime());
  const namespace = 'r-a';
  const operations: OperationInput[] = [
    { op: 'netns_up', namespace, urpf: 'strict' },
    { op: 'daemon_up', namespace, kind: 'bird', config: 'router id 10.65.1.1;' },
  ];
  await call('apply', { operations });
  const { results } = await call('apply', { operations });
  expect(results.map(({ status }) => status)).toEqual(['unchanged', 'unchanged']);
  expect((await call('inventory', {})).daemons).toEqual([
    { namespace, kind: 'bird', state: 'running', restarts: 0, processes: [] },
  ]);
  expect(await call('daemon_state', { namespace })).toEqual({ adjacencies: [], routes: {} });
  await expect(call('daemon_state', { namespace: 'r-b' })).rejects.toMatchObject({ code: 'not-found' });
  await call('apply', { operations: [{ op: 'netns_down', namespace }] });
  expect((await call('inventory', {})).daemons).toBeUndefined();
  await end();
});
