import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { NodeWatch } from '../../../src/service/health/node-watch.ts';
import type { AgentConnection } from '../../../src/transport/agent-connection.ts';

/** A node whose agent answers, is silent or ends on request. */
function world() {
  let nowMs = 0;
  let isSilent = false;
  let refusal: Error | undefined;
  let startedAt = 1;
  let end: ((error?: VnmError) => void) | undefined;
  const connected: number[] = [];
  const watch = new NodeWatch({
    intervalMs: 250,
    timeoutMs: 750,
    monotonicMs: () => nowMs,
    connect: async () => {
      if (refusal !== undefined) throw refusal;
      return {
        facts: { agent: { startedAt } },
        call: () => (isSilent ? new Promise(() => {}) : Promise.resolve({ watches: [] })),
        onClose: (listener: (error?: VnmError) => void) => {
          end = listener;
        },
      } as unknown as AgentConnection;
    },
    onConnected: (facts, before) => connected.push(before === undefined ? 0 : facts.agent.startedAt),
  });
  return {
    watch,
    connected,
    silence: (value: boolean) => {
      isSilent = value;
    },
    die: (error: Error | undefined) => {
      refusal = error;
      startedAt += 1;
      end?.(new VnmError('unreachable', 'the agent has ended'));
    },
    back: () => {
      refusal = undefined;
    },
    pass: async (rounds: number) => {
      for (let round = 0; round < rounds; round += 1) {
        watch.tick();
        await turn();
        nowMs += 250;
      }
    },
    late: (ms: number) => {
      nowMs += ms;
      watch.forgive(ms);
    },
  };
}

it('a node answers in every round', async () => {
  const { watch, pass } = world();
  expect(watch.evidence()).toBeUndefined();
  await pass(5);
  expect(watch.evidence()).toEqual({ missed: 0, answered: 5 });
  expect(watch.report).toEqual({ watches: [] });
});

it('a silent node misses one more heartbeat every interval after the timeout, and shows no old report', async () => {
  const { watch, pass, silence } = world();
  await pass(5);
  silence(true);
  await pass(3);
  expect(watch.evidence()).toEqual({ missed: 1, answered: 0 });
  await pass(3);
  expect(watch.evidence()).toEqual({ missed: 4, answered: 0 });
  expect(watch.report).toBeUndefined();
});

it('time in which the service did not run does not count as missed', async () => {
  const { watch, pass, silence, late } = world();
  await pass(5);
  silence(true);
  await pass(1);
  late(60_000);
  expect(watch.evidence()?.missed).toBe(0);
});

it('a node whose agent was restarted is connected again and reported', async () => {
  const { watch, pass, die, back, connected } = world();
  await pass(3);
  die(new VnmError('unreachable', 'connection refused'));
  await pass(2);
  expect(watch.failure).toBe('connection refused');
  back();
  await pass(4);
  expect(connected).toEqual([0, 2]);
  expect(watch.evidence()?.missed).toBe(0);
});

it('an unreachable node misses heartbeats only after the first attempt has failed', async () => {
  const { watch, pass, die } = world();
  die(new VnmError('unreachable', 'no answer'));
  await pass(1);
  expect(watch.evidence()).toBeUndefined();
  await pass(6);
  expect(watch.evidence()!.missed).toBeGreaterThan(0);
});
