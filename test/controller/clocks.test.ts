import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock/clock.ts';
import { boundAt } from '../../src/clock/exchange.ts';
import type { UtcReading } from '../../src/clock/utc.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { measureClocks, type NodeClock, type OwnUtc, reportClock } from '../../src/controller/nodes/clocks.ts';
import { VnmError } from '../../src/model/errors.ts';
import { timeLimits } from '../../src/model/patience.ts';
import type { AgentConnection } from '../../src/transport/agent-connection.ts';
import type { Method } from '../../src/vsys/messages.ts';
import { sliceOf } from '../testbed/support.ts';

const hourMs = 3_600_000;

interface FakeNode {
  readonly skewMs?: number;
  /** Round trip of an exchange, half of it each way. */
  readonly roundTripMs?: number;
  readonly sources?: UtcReading[];
  readonly errors?: string[];
  /** The error of a request for UTC. */
  readonly refusal?: VnmError;
}

/** Agents that only know the time; `asked` lists which were asked for UTC, and with which servers. */
function fakeAgents(nodes: Record<string, FakeNode>, ntp: string[] = []) {
  const asked: [string, string[]][] = [];
  // One clock for all, so that only the exchange is between a reading and the true time.
  const clock = steadyClock(systemClock);
  const call = async (node: string, method: Method, params: { ntpServers?: string[] }) => {
    const { skewMs = 0, roundTripMs = 0, sources = [], errors = [], refusal } = nodes[node]!;
    if (method === 'utc') {
      asked.push([node, params.ntpServers!]);
      if (refusal !== undefined) throw refusal;
      return { sources, errors };
    }
    expect(method).toBe('clock');
    if (roundTripMs > 0) await sleep(roundTripMs / 2);
    const now = clock.wallMs() + skewMs;
    if (roundTripMs > 0) await sleep(roundTripMs / 2);
    return { receivedAt: now, sentAt: now };
  };
  const get = (node: string) =>
    ({
      limits: timeLimits(),
      call: (method: Method, params: object) => call(node, method, params),
    }) as unknown as AgentConnection;
  const agents = {
    slice: sliceOf(Object.keys(nodes), [], { ntp }),
    clock,
    get,
  } as unknown as Agents;
  return { agents, asked };
}

function own(sources: UtcReading[], errors: string[] = []): () => Promise<OwnUtc> {
  return async () => ({ sources, errors, beganAtMs: systemClock.monotonicMs() });
}

/** A clock is read to within a few microseconds. */
const readingMs = 0.05;

function expectTruth(clock: NodeClock | undefined, trueMs: number): void {
  expect(Math.abs(clock!.offsetMs - trueMs)).toBeLessThanOrEqual(clock!.boundMs + readingMs);
}

const chrony = (offsetMs: number, boundMs: number): UtcReading => ({
  kind: 'chrony',
  name: '192.0.2.1',
  offsetMs,
  boundMs,
});

describe('measureClocks', () => {
  it('measureClocks finds each offset within its bound, also for clocks that are hours off', async () => {
    const nodes = { a: { skewMs: 3 * hourMs }, b: { skewMs: -26.5 * hourMs, roundTripMs: 6 }, c: {} };
    const { agents, asked } = fakeAgents(nodes);
    const clocks = await measureClocks(agents, ['a', 'b', 'c', 'a'], own([]));
    expect([...clocks.keys()]).toEqual(['a', 'b', 'c']);
    for (const [node, { skewMs = 0 }] of Object.entries<FakeNode>(nodes)) expectTruth(clocks.get(node), skewMs);
    expect(clocks.get('b')).toMatchObject({ source: 'exchange', errors: [] });
    expect(clocks.get('b')!.roundTripMs).toBe(2 * clocks.get('b')!.boundMs);
    // If the controller does not know UTC, it asks no node for it.
    expect(asked).toEqual([]);
  });

  it('measureClocks uses UTC of both ends if it has the smaller bound, and still returns the round trip', async () => {
    const node = {
      skewMs: hourMs,
      roundTripMs: 20,
      sources: [chrony(hourMs + 40, 0.5)],
      errors: ["'x' is unreachable"],
    };
    const { agents, asked } = fakeAgents({ a: node }, ['x']);
    const clock = (await measureClocks(agents, ['a'], own([chrony(40.25, 0.5)], ['y is unreachable']))).get('a')!;
    expect(clock).toMatchObject({ source: 'chrony', offsetMs: hourMs - 0.25 });
    expectTruth(clock, hourMs);
    expect(clock.boundMs).toBeGreaterThanOrEqual(1);
    expect(clock.roundTripMs).toBeGreaterThan(10);
    expect(clock.errors).toEqual(['y is unreachable', "a: 'x' is unreachable"]);
    expect(asked).toEqual([['a', ['x']]]);
  });

  it('measureClocks uses the exchanges if they have the smaller bound', async () => {
    const { agents } = fakeAgents({ a: { skewMs: 7, sources: [chrony(7, 5000)] } });
    const clock = (await measureClocks(agents, ['a'], own([chrony(0, 5000)]))).get('a')!;
    expect(clock.source).toBe('exchange');
    expectTruth(clock, 7);
  });

  it('measureClocks ignores a source that contradicts the exchanges', async () => {
    const { agents } = fakeAgents({ a: { skewMs: 7, roundTripMs: 20, sources: [chrony(5007, 0.5)] } });
    const clock = (await measureClocks(agents, ['a'], own([chrony(0, 0.5)]))).get('a')!;
    expect(clock.source).toBe('exchange');
    expectTruth(clock, 7);
    expect(clock.errors).toEqual(['a: chrony contradicts the exchanges with the node and is ignored']);
  });

  it('measureClocks does without UTC if the database has an invalid server name', async () => {
    const refusal = new VnmError('invalid-input', 'utc: ntpServers[0]: not HOST or HOST:PORT');
    const { agents } = fakeAgents({ a: { refusal } });
    const clock = (await measureClocks(agents, ['a'], own([chrony(0, 1)]))).get('a')!;
    expect(clock).toMatchObject({ source: 'exchange', errors: [`a: ${refusal.message}`] });
  });

  it('measureClocks does without UTC if a node forbids reading it, but fails on other errors', async () => {
    const refusal = new VnmError('forbidden', "'utc' is not allowed");
    const { agents } = fakeAgents({ a: { refusal }, b: { refusal: new VnmError('unreachable', 'gone') } });
    const clock = (await measureClocks(agents, ['a'], own([chrony(0, 1)]))).get('a')!;
    expect(clock).toMatchObject({ source: 'exchange', errors: ["a: 'utc' is not allowed"] });
    await expect(measureClocks(agents, ['b'], own([chrony(0, 1)]))).rejects.toThrow('gone');
  });
});

describe('reportClock', () => {
  it('reportClock returns the measured bound and the grown bound', () => {
    const nowMs = systemClock.monotonicMs();
    const clock: NodeClock = {
      offsetMs: 5,
      boundMs: 1,
      measuredAtMs: nowMs - 20_000,
      source: 'ntp',
      roundTripMs: 9,
      errors: ['x'],
    };
    const { boundNowMs, ...rest } = reportClock(clock);
    expect(rest).toEqual({ offsetMs: 5, boundMs: 1, source: 'ntp', errors: ['x'] });
    expect(boundNowMs).toBeGreaterThanOrEqual(boundAt(clock, nowMs));
  });
});
