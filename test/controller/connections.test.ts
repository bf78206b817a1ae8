/**
 * Connections that outlast a command are shared, are dropped when they end, and fail at once for a node that is known
 * to be dead.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { keepConnections } from '../../src/controller/base/connections.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { defaultPolicy, withAgents, withReachable } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import type { AgentConnection, AgentOptions, AgentTarget } from '../../src/transport/agent-connection.ts';
import type { NodeFacts } from '../../src/vsys/messages.ts';
import { sliceOf } from '../testbed/support.ts';

const host = '192.0.2.1';
const slice = {
  ...sliceOf([]),
  nodes: new Map(['a', 'b', 'c'].map((name) => [name, { name, host }])),
};
const policy = defaultPolicy(slice);
const options: AgentOptions = { acceptNewHostKeys: false, policy };
const target = (node: string): AgentTarget => ({ node, slice: slice.name, host, port: 22, user: 'root' });
const dead = new VnmError('unreachable', 'b is dead');

/** A connection that can only end. */
interface FakeConnection extends AgentConnection {
  readonly listeners: Set<(error?: VnmError) => void>;
  end(error?: VnmError): void;
}

function fakeConnection(node: string): FakeConnection {
  const listeners = new Set<(error?: VnmError) => void>();
  const end = (error?: VnmError) => {
    for (const listener of [...listeners]) listener(error);
  };
  const connection = {
    node,
    facts,
    listeners,
    end,
    onClose: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    abandon: end,
    close: () => end(),
  };
  return connection as unknown as FakeConnection;
}

/** Attempts to connect, which a test makes succeed or fail. */
interface Attempt {
  readonly node: string;
  readonly signal: AbortSignal;
  succeed(): FakeConnection;
  fail(error: Error): void;
}

let attempts: Attempt[];
let refused: Map<string, VnmError>;
/** Whether attempts wait for the test. */
let isSlow: boolean;
/** What nodes say of themselves. */
let facts: Pick<NodeFacts, 'policy' | 'features'>;
beforeEach(() => {
  facts = { policy, features: [] };
  attempts = [];
  refused = new Map();
  isSlow = false;
});

function connectOne({ node }: AgentTarget, { signal }: AgentOptions): Promise<AgentConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentConnection>();
  const connection = fakeConnection(node);
  const succeed = () => {
    resolve(connection);
    return connection;
  };
  attempts.push({ node, signal: signal!, succeed, fail: reject });
  const refusal = refused.get(node);
  if (refusal !== undefined) reject(refusal);
  else if (!isSlow) succeed();
  return promise;
}

const pool = () => keepConnections(connectOne);
const attempted = () => attempts.map(({ node }) => node);

describe('kept connections', () => {
  it('a connection is made once, and again after it has ended', async () => {
    const connections = pool();
    const first = await connections.connect([target('a'), target('b')], options);
    expect(first.connections.map(({ node }) => node)).toEqual(['a', 'b']);
    const second = await connections.connect([target('b'), target('a')], options);
    expect(second.connections).toEqual(first.connections.toReversed());
    expect(attempted()).toEqual(['a', 'b']);
    (first.connections[0] as FakeConnection).end(dead);
    const third = await connections.connect([target('a')], options);
    expect(third.connections[0]).not.toBe(first.connections[0]);
    expect(attempted()).toEqual(['a', 'b', 'a']);
  });

  it('all callers share one attempt, and a failed attempt is followed by a new one', async () => {
    isSlow = true;
    const connections = pool();
    const both = [connections.connect([target('a')], options), connections.connect([target('a')], options)];
    expect(attempted()).toEqual(['a']);
    attempts[0]!.fail(dead);
    for (const { failures } of await Promise.all(both)) expect(failures.get('a')).toBe(dead);
    isSlow = false;
    expect((await connections.connect([target('a')], options)).failures.size).toBe(0);
    expect(attempted()).toEqual(['a', 'a']);
  });

  it('an attempt continues after one of its callers has stopped waiting', async () => {
    isSlow = true;
    const connections = pool();
    const controller = new AbortController();
    const impatient = connections.connect([target('a')], { ...options, signal: controller.signal });
    const patient = connections.connect([target('a')], options);
    controller.abort();
    expect((await impatient).failures.get('a')).toMatchObject({
      code: 'interrupted',
      message: "the connection to node 'a' was interrupted",
    });
    expect(attempts[0]!.signal.aborted).toBe(false);
    const connection = attempts[0]!.succeed();
    expect((await patient).connections).toEqual([connection]);
    const late = await connections.connect([target('a')], { ...options, signal: controller.signal });
    expect(late.failures.get('a')).toMatchObject({ code: 'interrupted' });
  });

  it('a connection is replaced when the node has another address', async () => {
    const connections = pool();
    const { connections: before } = await connections.connect([target('a')], options);
    const ends: unknown[] = [];
    before[0]!.onClose((error) => ends.push(error));
    await connections.connect([{ ...target('a'), port: 2222 }], options);
    expect(attempted()).toEqual(['a', 'a']);
    expect(ends).toMatchObject([{ code: 'unreachable', message: "node 'a' of slice 'test' has another address now" }]);
  });

  it('evicting a node ends its connection, or the attempt to connect, at once', async () => {
    const connections = pool();
    const { connections: made } = await connections.connect([target('a'), target('b')], options);
    const ends: unknown[] = [];
    for (const connection of made) connection.onClose((error) => ends.push([connection.node, error]));
    connections.evict('other', 'b', dead);
    connections.evict(slice.name, 'b', dead);
    expect(ends).toEqual([['b', dead]]);
    isSlow = true;
    const waiting = connections.connect([target('b')], options);
    connections.evict(slice.name, 'b', dead);
    expect((await waiting).failures.get('b')).toBe(dead);
    expect(attempts[2]!.signal.aborted).toBe(true);
    // This attempt succeeds too late.
    const late = attempts[2]!.succeed();
    late.onClose((error) => ends.push(['late', error]));
    isSlow = false;
    const { connections: again } = await connections.connect([target('b')], options);
    expect(again[0]).not.toBe(late);
    expect(ends).toEqual([
      ['b', dead],
      ['late', dead],
    ]);
  });

  it('no connection is made to a node that is marked as unreachable until it is marked as reachable', async () => {
    const connections = pool();
    const { connections: made } = await connections.connect([target('b')], options);
    const ends: unknown[] = [];
    made[0]!.onClose((error) => ends.push(error));
    connections.markUnreachable(slice.name, 'b', dead);
    expect(ends).toEqual([dead]);
    expect(connections.markOf(slice.name, 'b')).toBe(dead);
    const marked = await connections.connect([target('a'), target('b')], options);
    expect(marked.connections.map(({ node }) => node)).toEqual(['a']);
    expect(marked.failures).toEqual(new Map([['b', dead]]));
    expect(attempted()).toEqual(['b', 'a']);
    connections.markReachable(slice.name, 'b');
    expect(connections.markOf(slice.name, 'b')).toBeUndefined();
    await connections.connect([target('b')], options);
    expect(attempted()).toEqual(['b', 'a', 'b']);
  });

  it('closeAll closes all connections, and no new one is made', async () => {
    const connections = pool();
    const { connections: made } = await connections.connect([target('a')], options);
    const ends: unknown[] = [];
    made[0]!.onClose((error) => ends.push(error));
    isSlow = true;
    const waiting = connections.connect([target('b')], options);
    connections.closeAll();
    const closing = { code: 'unreachable', message: 'the connections are being closed' };
    expect(ends).toMatchObject([closing]);
    expect((await waiting).failures.get('b')).toMatchObject(closing);
    expect((await connections.connect([target('a')], options)).failures.get('a')).toMatchObject(closing);
    expect(attempted()).toEqual(['a', 'b']);
  });
});

describe('a command with kept connections', () => {
  const testbeds = { forSlice: () => undefined };
  const context = (connections = pool()): Context & { connections: typeof connections } => ({
    store: { testbeds } as unknown as Context['store'],
    acceptNewHostKeys: false,
    report: () => {},
    connections,
  });

  it('a command leaves shared connections open and removes its listeners from them', async () => {
    const kept = context();
    const used = await withAgents(kept, slice, ['a', 'b'], async (agents) => [agents.get('a'), agents.get('b')]);
    await withAgents(kept, slice, ['a', 'c'], async (agents) => expect(agents.get('a')).toBe(used[0]));
    expect(attempted()).toEqual(['a', 'b', 'c']);
    // The listener of the pool itself.
    for (const connection of used as FakeConnection[]) expect(connection.listeners.size).toBe(1);
  });

  it('a marked node is missing at once, also on a new attempt, until it is marked as reachable', async () => {
    const kept = context();
    kept.connections.markUnreachable(slice.name, 'b', dead);
    await expect(withAgents(kept, slice, ['a', 'b'], async () => {})).rejects.toBe(dead);
    await withReachable(kept, slice, ['a', 'b'], async (agents) => {
      expect([...agents.missing]).toEqual([['b', dead]]);
      expect(() => agents.get('b')).toThrow(dead);
      await agents.revive(['b']);
      expect([...agents.missing]).toEqual([['b', dead]]);
      expect(attempted()).toEqual(['a']);
      kept.connections.markReachable(slice.name, 'b');
      await agents.revive(['a', 'b']);
      expect(agents.nodes()).toEqual(['a', 'b']);
      expect(attempted()).toEqual(['a', 'b']);
    });
  });

  it('a running command notices at once that a node was marked', async () => {
    const kept = context();
    await withAgents(kept, slice, ['a', 'b'], async (agents) => {
      kept.connections.markUnreachable(slice.name, 'b', dead);
      expect([...agents.missing]).toEqual([['b', dead]]);
      expect(agents.nodes()).toEqual(['a']);
    });
  });

  it('a command fails for faults other than an unreachable node, and leaves the other connections open', async () => {
    const kept = context();
    const fault = new VnmError('unsupported', 'no root on b');
    refused.set('b', fault);
    await expect(withReachable(kept, slice, ['a', 'b'], async () => {})).rejects.toBe(fault);
    refused.clear();
    await withAgents(kept, slice, ['a', 'b'], async () => {});
    expect(attempted()).toEqual(['a', 'b', 'b']);
  });

  it('a policy from before the slice grew is refused, and a wider one than needed is not', async () => {
    const gateways = Array.from({ length: 300 }, (_, index) => ({ name: `g${index}`, node: 'a', router: 'r' }));
    const vn = { name: 'v', routers: [], links: [], endHosts: [], flows: [], placements: new Map(), gateways };
    const refusal = {
      code: 'conflict',
      message:
        "node 'a' has a policy for slice 'test' with nexthops 458752 to 524287, but the slice needs 458752 to 589823",
    };
    await expect(withAgents(context(), { ...slice, vns: [vn] }, ['a'], async () => {})).rejects.toMatchObject(refusal);
    const { nexthops, vnis } = policy;
    const wide = { nexthops: { ...nexthops, last: nexthops.last + 65_536 }, vnis: { ...vnis, first: vnis.first - 1 } };
    facts = { policy: { ...policy, ...wide }, features: [] };
    await withAgents(context(), slice, ['a'], async () => {});
  });
});
