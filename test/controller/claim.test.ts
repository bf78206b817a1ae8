/** Requests of commands with their tickets, at a simulated agent. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClaims } from '../../src/agent/claims.ts';
import { keepConnections } from '../../src/controller/base/connections.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { withLock } from '../../src/controller/base/lock.ts';
import { install as installSlice } from '../../src/controller/install.ts';
import { liveStatus } from '../../src/controller/live.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { type Agents, defaultPolicy, withReachable } from '../../src/controller/nodes/agents.ts';
import { plan } from '../../src/controller/plan.ts';
import { reconcile } from '../../src/controller/reconcile.ts';
import { rollback } from '../../src/controller/recover.ts';
import { sliceIds } from '../../src/model/ids.ts';
import { timeLimits } from '../../src/model/patience.ts';
import { slotCount } from '../../src/model/room.ts';
import { routerNames } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Store } from '../../src/store/store.ts';
import type { AgentConnection } from '../../src/transport/agent-connection.ts';
import type { Params } from '../../src/vsys/messages.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';
import { sliceOf } from '../testbed/support.ts';

const slice = { ...sliceOf([]), nodes: new Map([['a', { name: 'a', host: '192.0.2.1' }]]) };
const policy = defaultPolicy(slice);

let store: Store;
let remove: () => void;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
});
afterEach(() => remove());

/** A node with its claims; `sent`: the requests other than claims, with their tickets if they have one. */
function playNode(node = 'a', interfaces: readonly object[] = []) {
  const claims = createClaims();
  const sent: [string, number | undefined][] = [];
  const answers: Record<string, object> = {
    inventory: { namespaces: [], interfaces, routes: [], nexthops: [], rules: false },
    routes: { routes: [] },
    collisions: { collisions: [], installed: true },
    obstacles: { obstacles: [] },
    apply: { results: [], differences: [] },
  };
  const connection = {
    node,
    facts: { policy, features: [], agent: { process: node } },
    limits: timeLimits(),
    call: async (method: string, params: object) => {
      if (method === 'claim') return claims.claim(params as Params<'claim'>);
      const { ticket } = params as { ticket?: number };
      sent.push([method, ticket]);
      if (ticket !== undefined) claims.check(ticket);
      return answers[method] ?? {};
    },
    onClose: () => () => {},
    close: () => {},
    abandon: () => {},
  } as unknown as AgentConnection;
  return { connection, claims, sent, answers };
}

function connectionsTo(nodes: readonly { readonly connection: AgentConnection }[]) {
  return keepConnections(async ({ node }) => nodes.find(({ connection }) => connection.node === node)!.connection);
}

function contextWith(nodes: readonly { readonly connection: AgentConnection }[]): Context {
  return { store, connections: connectionsTo(nodes), acceptNewHostKeys: false, report: () => {} };
}

function locked<T>(context: Context, nodes: readonly string[], body: (agents: Agents) => Promise<T>): Promise<T> {
  return withLock(context, { slice: slice.name, vn: 'v', command: 'migrate' }, (own) =>
    withReachable(own, sliceWith(nodes), nodes, body),
  );
}

function sliceWith(nodes: readonly string[]): Slice {
  return { ...slice, nodes: new Map(nodes.map((name) => [name, { name, host: '192.0.2.1' }])) };
}

it('each command gets its own ticket, and the node then refuses requests of earlier commands', async () => {
  const node = playNode();
  const context = contextWith([node]);
  const early = await locked(context, ['a'], async (agents) => {
    const send = () => agents.get('a').call('apply', { operations: [] });
    await send();
    return send;
  });
  await locked(context, ['a'], async (agents) => {
    await agents.get('a').call('apply', { operations: [] });
    await expect(early()).rejects.toMatchObject({ code: 'conflict' });
    await agents.get('a').call('apply', { operations: [] });
  });
  expect(node.sent.map(([, ticket]) => ticket)).toEqual([1, 2, 1, 2]);
});

it('a command that stops a daemon, restores it or says what became of it has a ticket', async () => {
  const node = playNode();
  await locked(contextWith([node]), ['a'], async (agents) => {
    const agent = agents.get('a');
    await agent.call('daemon_dump', { namespace: 'x' });
    await agent.call('daemon_restore', { namespace: 'x', bytes: 1, sha256: '' });
    await agent.call('daemon_settle', { namespace: 'x', outcome: 'stayed' });
  });
  expect(node.sent.map(([method, ticket]) => `${method} ${ticket}`)).toEqual([
    'daemon_dump 1',
    'daemon_restore 1',
    'daemon_settle 1',
  ]);
});

it('a command without a lock claims nothing', async () => {
  const node = playNode();
  await withReachable(contextWith([node]), slice, ['a'], (agents) =>
    agents.get('a').call('apply', { operations: [], dryRun: true }),
  );
  expect(node.sent).toEqual([['apply', undefined]]);
});

it('a command claims every node before its first change on any of them', async () => {
  const [a, b] = [playNode('a'), playNode('b')];
  const earlier = claim(b.claims);
  await locked(contextWith([a, b]), ['a', 'b'], async (agents) => {
    await agents.get('a').call('apply', { operations: [], dryRun: true });
    await agents.get('b').call('inventory', {});
    b.claims.check(earlier);
    await agents.get('a').call('apply', { operations: [] });
    await agents.get('b').call('inventory', {});
    expect(() => b.claims.check(earlier)).toThrow(expect.objectContaining({ code: 'conflict' }));
  });
});

it('a command claims before it cancels, so that nothing is armed afterwards', async () => {
  const node = playNode();
  const earlier = claim(node.claims);
  await locked(contextWith([node]), ['a'], (agents) => agents.get('a').call('cancel', { id: 'x' }));
  expect(() => node.claims.check(earlier)).toThrow(expect.objectContaining({ code: 'conflict' }));
});

it('a request waits for its ticket no longer than for its answer', async () => {
  const { connection } = playNode();
  const silent = { ...connection, call: () => new Promise<never>(() => {}) };
  await locked(contextWith([{ connection: silent }]), ['a'], async (agents) => {
    const cancel = agents.get('a').call('cancel', { id: 'x' }, { timeoutMs: 20.5 });
    await expect(cancel).rejects.toMatchObject({ code: 'timeout', message: "no answer to 'claim' within 20.5 ms" });
  });
});

describe('while another controller migrates a VN', () => {
  const file = readSlice(gallery('two-node'));
  const hosts = [...file.nodes.keys()].map((name, index) => [name, { name, host: `192.0.2.${index + 1}` }] as const);
  const read = { ...file, nodes: new Map(hosts) };
  const vn = read.vns[0]!;
  const own = { ...policy, ...defaultPolicy(read) };
  const names = [...read.nodes.keys()];

  /** The other controller's migration has the claim; its VN is on the nodes. */
  function playNodes() {
    const { interfacePrefix } = sliceIds(read);
    const there = [{ name: `${interfacePrefix}0l0a`, kind: 'vxlan', up: true, addresses: [] }];
    const nodes = names.map((name) => playNode(name, there));
    for (const { connection } of nodes) Object.assign(connection.facts, { policy: own });
    const held = nodes.map(({ claims }) => claim(claims, vn.name));
    const check = () => {
      for (const [index, { claims }] of nodes.entries()) claims.check(held[index]!);
    };
    return { context: contextWith(nodes), nodes, check };
  }

  const install = { placement: 'initial', urpf: 'feasible' } as const;
  const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false } as const;

  it('a controller with another database is refused and does not take the claim', async () => {
    const { context, nodes, check } = playNodes();
    await expect(installSlice(context, read, install)).rejects.toMatchObject({ code: 'conflict' });
    expect(nodes.flatMap(({ sent }) => sent)).toContainEqual(['inventory', undefined]);
    check();
    await expect(migrate(context, read, vn, { ...options, to: 'final' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(rollback(context, read, vn)).rejects.toMatchObject({ code: 'not-found' });
    check();
  });

  it('a migration from a copy of its database is refused because of damage and does not take the claim', async () => {
    const { context, nodes, check } = playNodes();
    record();
    const [first] = nodes;
    first!.answers.apply = { results: [], differences: [{ kind: 'rule', name: 'x', wanted: 'a rule', found: null }] };
    const refused = { code: 'conflict', message: expect.stringContaining('the old side is incomplete') };
    await expect(migrate(context, read, vn, { ...options, to: 'final' })).rejects.toMatchObject(refused);
    check();
  });

  it('commands that change nothing do not take the claim', async () => {
    const { context, nodes, check } = playNodes();
    record();
    expect(await liveStatus(context, read)).toMatchObject({ failed: [] });
    expect(await reconcile(context, read, { dryRun: true })).toMatchObject({ failed: [] });
    await plan(context, read, vn, { to: 'final', granularity: 'gateway', latency: 'declared' });
    expect(nodes.flatMap(({ sent }) => sent)).toContainEqual(['apply', undefined]);
    check();
    await reconcile(context, read, { dryRun: false });
    expect(check).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  /** The VN is on its initial placement. */
  function record(): void {
    store.slices.save(read);
    const plan = (slot: number) => planInstance(read, vn, vn.placements.get('initial')!, slot);
    const { instances } = store;
    const namespaces = () => new Map(routerNames(vn).map((router) => [router, `pv-two_0-${router}`]));
    const { record } = instances.add(read.name, vn.name, 'initial', slotCount(read), plan, namespaces);
    instances.setState(record.id, 'active');
    instances.setSettings(read.name, vn.name, { mtu: 1450, urpf: 'strict' });
  }
});

/** Claims like an earlier command. */
function claim(claims: ReturnType<typeof createClaims>, vn = 'v'): number {
  return claims.claim({ vn, after: 0 }).ticket;
}
