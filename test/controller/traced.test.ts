import { expect, it } from 'vitest';
import { traced } from '../../src/controller/base/traced.ts';
import type { AgentConnection } from '../../src/transport/agent-connection.ts';

function connection(answer: () => Promise<unknown>): AgentConnection {
  return { node: 'gw1', call: answer } as unknown as AgentConnection;
}

const withoutTimes = (text: string) => text.replace(/\d+\.\d ms/, 'N ms');

it('a traced connection reports what it sends to which node, and how long the answer took', async () => {
  const details: string[] = [];
  const one = traced(
    connection(async () => ({ lagMs: [] })),
    (text) => details.push(withoutTimes(text)),
  );
  expect(await one.call('timer_lag', { samples: 5 })).toEqual({ lagMs: [] });
  expect(details).toEqual(['gw1 <- timer_lag {"samples":5}', 'gw1 -> timer_lag after N ms']);
});

it('a traced connection reports a failure on one line of limited length, and rethrows it', async () => {
  const details: string[] = [];
  const failure = new Error(`no\nanswer ${'x'.repeat(1000)}`);
  const one = traced(
    connection(() => Promise.reject(failure)),
    (text) => details.push(withoutTimes(text)),
  );
  await expect(one.call('clock', {})).rejects.toBe(failure);
  expect(details[1]).toMatch(/^gw1 -> clock failed after N ms: no\\u000aanswer x+\.\.\.$/);
  expect(details[1]!.length).toBeLessThan(350);
});
