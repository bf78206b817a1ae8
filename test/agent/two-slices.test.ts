/**
 * Slice A tries to reach things of slice B, by every field of every operation and method; nothing of B's may change.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkRequest } from '../../src/agent/policy.ts';
import { parsePrefix } from '../../src/model/address.ts';
import { VnmError } from '../../src/model/errors.ts';
import { withConfirmation } from '../../src/transport/confirm.ts';
import { type Method, type Params, type ParamsInput, requestSchemas } from '../../src/vsys/messages.ts';
import { type OperationInput, type OperationName, operationNames, operationSchema } from '../../src/vsys/operations.ts';
import { parseParams } from '../../src/vsys/params.ts';
import { type Policy, policySchema } from '../../src/vsys/policy.ts';
import { createRpcClient, type RpcClient } from '../../src/vsys/rpc.ts';
import { type AgentNode, startAgentNode, testPolicy } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

/** Values by which a request can name what belongs to a slice. */
interface Marks {
  readonly interface: string;
  readonly gated: string;
  readonly namespace: string;
  readonly address: string;
  readonly peer: string;
  readonly prefix: string;
  readonly nexthop: number;
  readonly group: number;
  readonly vni: number;
  /** An address outside the slice to which packets may be sent. */
  readonly remote: string;
  readonly armed: string;
  readonly stream: string;
  readonly watch: string;
  /** A command that runs in a router. */
  readonly command: string;
}

function marksOf({ interfacePrefix, namespacePrefix, vnet, nexthops, vnis }: Policy, remote: string): Marks {
  const net = vnet.replace(/\.0\.0\/16$/, '');
  return {
    interface: `${interfacePrefix}v`,
    gated: `${interfacePrefix}e0g`,
    namespace: `${namespacePrefix}0-x`,
    address: `${net}.0.1`,
    peer: `${net}.0.2`,
    prefix: `${net}.9.0/24`,
    nexthop: nexthops.first,
    group: nexthops.first + 0x8000,
    vni: vnis.first + 7,
    remote,
    armed: `armed-${net.replace('.', '-')}`,
    stream: `stream-${net.replace('.', '-')}`,
    watch: `watch-${net.replace('.', '-')}`,
    command: `1b4e28ba-2fa1-4d2b-983f-2a5b4e6c${net.replace('.', '').padStart(4, '0')}`,
  };
}

/** The MAC address of one end of a link. */
const mac = '02:50:0a:42:00:01';

type Row<Name extends OperationName> = readonly Extract<OperationInput, { op: Name }>[];

/**
 * Each operation with all its fields, all of them the slice's own. The compiler requires a row for every operation, a
 * test below a value for every field. Each value that is a mark makes an attempt.
 */
function operationsOf(a: Marks): { readonly [Name in OperationName]: Row<Name> } {
  const place = { interface: a.interface, namespace: a.namespace };
  return {
    netns_up: [{ op: 'netns_up', namespace: a.namespace, urpf: 'strict' }],
    netns_down: [{ op: 'netns_down', namespace: a.namespace }],
    tunnel_up: [
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        ...place,
        mac,
        mtu: 1400,
        vni: a.vni,
        remote: a.remote,
        alsoFrom: a.remote,
        local: a.remote,
        port: 4790,
        gateable: true,
      },
      { op: 'tunnel_up', kind: 'local', ...place, mac, mtu: 1400, peer: { ...place, mac }, gateable: true },
    ],
    tunnel_down: [{ op: 'tunnel_down', ...place }],
    vif_up: [
      { op: 'vif_up', ...place, address: a.address, peer: { address: a.peer, mac }, urpf: 'loose', pointToPoint: true },
    ],
    vif_down: [{ op: 'vif_down', ...place, address: a.address }],
    vroute: (['add', 'delete'] as const).map((action) => ({
      op: 'vroute',
      action,
      namespace: a.namespace,
      prefix: a.prefix,
      type: 'unicast',
      nexthops: [{ interface: a.interface, via: a.peer, weight: 1 }],
      nexthopId: a.group,
      metric: 5,
      source: a.address,
      protocol: 'bird',
    })),
    vroutes: (['add', 'delete'] as const).map((action) => ({
      op: 'vroutes',
      action,
      namespace: a.namespace,
      prefixes: a.prefix,
      type: 'unicast',
      nexthops: [{ interface: a.interface, via: a.peer, weight: 1 }],
      nexthopId: a.group,
      metric: 5,
      source: a.address,
      protocol: 'bird',
    })),
    nexthop_up: [{ op: 'nexthop_up', id: a.nexthop, via: a.peer, interface: a.gated }],
    nexthop_down: [{ op: 'nexthop_down', id: a.nexthop }],
    group_up: [{ op: 'group_up', id: a.group, members: [a.nexthop], active: a.nexthop, resilient: false }],
    group_down: [{ op: 'group_down', id: a.group }],
    rule_up: [{ op: 'rule_up' }],
    rule_down: [{ op: 'rule_down' }],
    gate_up: [{ op: 'gate_up', interface: a.gated, limitBytes: 10_000 }],
    gate_down: [{ op: 'gate_down', interface: a.gated }],
    forward_up: [
      { op: 'forward_up', side: 'listen', localPort: 5353, address: a.address, to: { address: a.peer, port: 53 } },
      { op: 'forward_up', side: 'deliver', address: a.address, port: 53 },
    ],
    forward_down: [
      { op: 'forward_down', side: 'listen', localPort: 5353 },
      { op: 'forward_down', side: 'deliver', address: a.address, port: 53 },
    ],
    daemon_up: [
      { op: 'daemon_up', namespace: a.namespace, kind: 'frr', protocols: ['ospf'], config: '', graceful: true },
    ],
    daemon_down: [{ op: 'daemon_down', namespace: a.namespace }],
    daemon_leave: [{ op: 'daemon_leave', namespace: a.namespace }],
    control_up: [{ op: 'control_up', namespace: a.namespace, sendTo: a.remote, gate: 'closed' }],
    control_down: [{ op: 'control_down', namespace: a.namespace }],
    machine_up: [
      {
        op: 'machine_up',
        namespace: a.namespace,
        image: '0'.repeat(64),
        memoryMib: 16,
        console: 'log',
        mtu: 1400,
        ports: [{ interface: a.interface, mac, address: a.address, peer: { address: a.peer, mac } }],
        files: { 'meta-data': '' },
        state: 'closed',
      },
    ],
    machine_down: [{ op: 'machine_down', namespace: a.namespace }],
  };
}

/** The same for the methods. */
function requestsOf(a: Marks): { readonly [M in Exclude<Method, 'apply'>]: ParamsInput<M> } {
  const groups = [{ id: a.group, active: a.nexthop }];
  const inAnHour = Date.now() + 3_600_000;
  return {
    hello: {},
    claim: { vn: 'v', after: 0 },
    confirm: { token: '1b4e28ba-2fa1-4d2b-983f-2a5b4e6c7d8e' },
    collisions: {},
    inventory: {},
    counters: {},
    routes: { namespace: a.namespace, packed: false, unless: '0'.repeat(64) },
    daemon_state: { namespace: a.namespace },
    daemon_dump: { namespace: a.namespace, ticket: 1 },
    daemon_image_read: { namespace: a.namespace, offset: 0, bytes: 1 },
    daemon_image_write: { namespace: a.namespace, offset: 0, data: '' },
    daemon_restore: { namespace: a.namespace, bytes: 1, sha256: '0'.repeat(64), ticket: 1 },
    daemon_settle: { namespace: a.namespace, outcome: 'stayed', ticket: 1 },
    machine_copy: { namespace: a.namespace, how: 'running', ticket: 1 },
    machine_copy_read: { namespace: a.namespace, offset: 0, compress: false },
    machine_copy_write: { namespace: a.namespace, offset: 0, data: '', compressed: false, ticket: 1 },
    machine_go_on: { namespace: a.namespace, ticket: 1 },
    image_state: { digest: '0'.repeat(64) },
    image_write: { digest: '0'.repeat(64), total: 1, offset: 0, data: '' },
    console: { namespace: a.namespace, terminal: { rows: 24, columns: 80, type: 'xterm' } },
    console_log: { namespace: a.namespace },
    neighbour_events: { namespace: a.namespace },
    obstacles: { port: 4789 },
    path_mtu: { remotes: [a.remote] },
    redirect: { groups, ticket: 1 },
    arm: {
      id: a.armed,
      at: inAnHour,
      actions: [
        { kind: 'redirect', offsetMs: 0, groups },
        { kind: 'gate_close', offsetMs: 0, interface: a.gated },
      ],
      dryRun: false,
      ticket: 1,
    },
    cancel: { id: a.armed },
    armed_results: { id: a.armed, forget: true },
    timer_lag: { samples: 1 },
    clock: {},
    utc: { ntpServers: [a.remote] },
    stream_open: { stream: a.stream, address: a.address, sender: a.peer, bufferBytes: 100_000 },
    stream_send: {
      stream: a.stream,
      from: a.address,
      to: a.peer,
      port: 5000,
      payloadBytes: 100,
      rateBps: 1000,
      count: 1,
    },
    stream_stop: { stream: a.stream },
    stream_report: { stream: a.stream, close: true, until: { packets: 1, quietMs: 10 } },
    reach: { from: a.address, to: [a.peer], timeoutMs: 100, bytes: 200 },
    packet_sizes: {
      probes: [{ namespace: a.namespace, from: a.address, to: a.peer }],
      smallest: 128,
      largest: 200,
      timeoutMs: 100,
    },
    watch: {
      id: a.watch,
      from: a.address,
      intervalMs: 1000,
      timeoutMs: 500,
      targets: [{ name: 'a-peer', to: a.peer, port: 5000 }],
    },
    watch_report: {},
    watch_stop: { id: a.watch },
    exec: { namespace: a.namespace, command: ['true'], terminal: { rows: 24, columns: 80, type: 'xterm' } },
    capture: { namespace: a.namespace, interface: a.interface, snaplen: 100, count: 1 },
    exec_write: { id: a.command, data: 'QQ==', end: true },
    exec_read: { id: a.command },
    exec_signal: { id: a.command, signal: 'INT' },
    shutdown: {},
  };
}

/** Fields that name nothing. */
const plain = [
  ...['rows', 'columns'],
  'packed',
  'unless',
  'packets',
  'quietMs',
  ...[
    'op',
    'kind',
    'mac',
    'mtu',
    'port',
    'urpf',
    'action',
    'type',
    'weight',
    'metric',
    'resilient',
    'gateable',
    'limitBytes',
    'side',
    'localPort',
    'protocol',
    'graceful',
    'protocols',
    'config',
    'pointToPoint',
    'gate',
  ],
  // An image is one of the slice's own folder, whatever its digest.
  ...['image', 'memoryMib', 'console', 'meta-data', 'state', 'digest', 'total'],
  ...['command', 'snaplen', 'data', 'end', 'signal', 'how', 'compress', 'compressed'],
  ...['offsetMs', 'at', 'forget', 'close', 'samples', 'payloadBytes', 'rateBps', 'count', 'timeoutMs'],
  // A token is one that an agent gave out.
  ...[
    'dryRun',
    'repair',
    'confirmWithinMs',
    'token',
    'name',
    'intervalMs',
    'smallest',
    'largest',
    'vn',
    'after',
    'ticket',
    'bytes',
    'bufferBytes',
    'offset',
    'sha256',
    'outcome',
  ],
];

interface Request {
  readonly method: Method;
  readonly params: unknown;
}

interface Attempt extends Request {
  /** The field that names something of B's. */
  readonly field: string;
  /** Each slice has its own agent, which knows only its own ids. */
  readonly isInvisible: boolean;
}

/** With `repair`, which replaces what would otherwise be a conflict. */
function applied(operation: OperationInput): ParamsInput<'apply'> {
  return { operations: [operation], dryRun: false, repair: true, confirmWithinMs: 10_000, ticket: 1 };
}

function ownRequests(a: Marks): Request[] {
  const operations = Object.values(operationsOf(a)).flat();
  return [
    ...operations.map((operation) => ({ method: 'apply' as const, params: applied(operation) })),
    ...Object.entries(requestsOf(a)).map(([method, params]) => ({ method: method as Method, params })),
  ];
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
}

function leavesOf(value: unknown, path: readonly string[] = []): Leaf[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }];
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key]));
}

function withLeaf(value: unknown, [key, ...rest]: readonly string[], leaf: unknown): unknown {
  if (key === undefined) return leaf;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = withLeaf(copy[key], rest, leaf);
  return copy;
}

/** Returns which mark of a slice a value is. */
function markOf(marks: Marks, value: unknown): keyof Marks | undefined {
  return (Object.keys(marks) as (keyof Marks)[]).find((name) => marks[name] === value);
}

/**
 * Returns each of A's own requests with each of its marks in turn replaced by B's. A must not send to B's addresses.
 */
function attempts(a: Marks, b: Marks): Attempt[] {
  return ownRequests(a).flatMap(({ method, params }) =>
    leavesOf(params).flatMap(({ path, value }) => {
      const mark = markOf(a, value);
      if (mark === undefined) return [];
      const target = mark === 'remote' ? b.address : b[mark];
      const isInvisible = ['armed', 'stream', 'watch', 'command'].includes(mark);
      return [{ method, params: withLeaf(params, path, target), field: path.join('.'), isInvisible }];
    }),
  );
}

const policyA = policySchema.parse({
  slice: 'a',
  vnet: '10.66.0.0/16',
  interfacePrefix: 'pv002-',
  namespacePrefix: 'pv-a_',
  table: 50_002,
  rulePriority: 10_002,
  nexthops: { first: 131_072, last: 196_607 },
  vnis: { first: 8192, last: 12_287 },
  operations: ['*', 'exec', 'capture', 'daemon_dump', 'daemon_restore', 'machine_up', 'machine_copy'],
});

describe('the table', () => {
  const marks = marksOf(policyA, '192.0.2.7');

  it('the table has every operation and every method', () => {
    expect(Object.keys(operationsOf(marks)).sort()).toEqual([...operationNames].sort());
    expect(['apply', ...Object.keys(requestsOf(marks))].sort()).toEqual(Object.keys(requestSchemas).sort());
  });

  it('the table has every field of every operation and method', () => {
    const operations = Object.values(operationsOf(marks)).flat();
    for (const operation of operations) {
      expectAllFields(operationSchema, operation);
      expectAllFields(requestSchemas.apply, applied(operation));
    }
    for (const [method, params] of Object.entries(requestsOf(marks))) {
      expectAllFields(requestSchemas[method as Method], params);
    }
  });

  it('the table says what every field names', () => {
    const unknown = ownRequests(marks).flatMap(({ params }) =>
      leavesOf(params).filter(({ path, value }) => {
        const key = path.findLast((step) => !/^\d+$/.test(step))!;
        return markOf(marks, value) === undefined && !plain.includes(key);
      }),
    );
    expect(unknown).toEqual([]);
  });

  it('the slice itself may send every request of the table', () => {
    for (const { method, params } of ownRequests(marks)) check(policyA, method, params);
  });
});

/** Fails when an object of the schema may have a key that the value lacks. */
function expectAllFields(schema: z.ZodType, value: unknown): void {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const options = inner.options as z.ZodType[];
    expectAllFields(options.find((option) => option.safeParse(value).success)!, value);
  } else if (inner instanceof z.ZodArray) {
    for (const item of value as unknown[]) expectAllFields(inner.element as z.ZodType, item);
  } else if (inner instanceof z.ZodObject) {
    const fields = value as Record<string, unknown>;
    expect(Object.keys(fields).sort()).toEqual(Object.keys(inner.shape).sort());
    for (const [key, field] of Object.entries(inner.shape)) expectAllFields(field as z.ZodType, fields[key]);
  }
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema;
}

/** Checks a request as the agent does. */
function check(policy: Policy, method: Method, params: unknown, others: readonly string[] = []): void {
  const strangers = others.map((vnet) => ({ slice: 'b', vnet: parsePrefix(vnet), file: '/b.json' }));
  checkRequest(policy, method, parseParams(method, params) as Params<Method>, strangers);
}

describe('the policy of slice A', () => {
  const policyB = testPolicy('pv-b_');
  const all = attempts(marksOf(policyA, '192.0.2.7'), marksOf(policyB, '192.0.2.7'));

  it.each(all.filter(({ isInvisible }) => !isInvisible))(
    "the policy refuses $method with B's value in $field: $params",
    ({ method, params }) => {
      expect(() => check(policyA, method, params, [policyB.vnet])).toThrow(
        expect.objectContaining({
          code: 'forbidden',
          message: expect.stringMatching(/^.* \S+ does not belong to slice 'a' \(allowed: .*\)$/),
        }),
      );
    },
  );
});

describeAsRoot('two agents on one node', () => {
  let node: AgentNode;
  let a: Marks;
  let b: Marks;
  let clientA: RpcClient;
  let agentA: ReturnType<typeof spawn>;

  beforeAll(async () => {
    node = await startAgentNode();
    const policy: Policy = { ...policyA, namespacePrefix: `${node.namespace}a_` };
    writeFileSync(join(node.directory, 'policy', 'a.json'), JSON.stringify(policy), { mode: 0o644 });
    const inside = [`--net=/run/netns/${node.namespace}`, '--', process.execPath, join(node.directory, 'agent.mjs')];
    agentA = spawn('nsenter', [...inside, 'attach', '--slice', 'a'], {
      env: { ...process.env, PL_VNM_DIR: node.directory },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const rpc = createRpcClient(agentA.stdout!, agentA.stdin!);
    clientA = { ...rpc, call: withConfirmation(rpc.call) };
    a = marksOf(policy, '192.0.2.7');
    b = marksOf(node.policy, '192.0.2.7');
    await clientA.call('claim', requestsOf(a).claim);
    await node.client().call('claim', requestsOf(b).claim);
    await setUpB();
  });
  afterAll(async () => {
    clientA?.close();
    await node.remove();
  });

  /** Something of each kind. */
  async function setUpB(): Promise<void> {
    const tunnel = { op: 'tunnel_up', kind: 'vxlan', mac, mtu: 1400, remote: b.remote, port: 4790 } as const;
    await node.apply([
      { op: 'netns_up', namespace: b.namespace, urpf: 'strict' },
      { ...tunnel, interface: b.interface, namespace: b.namespace, vni: b.vni },
      { ...tunnel, interface: b.gated, vni: b.vni + 1 },
      { op: 'vif_up', interface: b.gated, address: b.address, peer: { address: b.peer, mac } },
      { op: 'nexthop_up', id: b.nexthop, via: b.peer, interface: b.gated },
      { op: 'group_up', id: b.group, members: [b.nexthop], active: b.nexthop, resilient: false },
      { op: 'vroute', action: 'add', prefix: b.prefix, nexthopId: b.group },
      { op: 'vroute', action: 'add', namespace: b.namespace, prefix: b.prefix, type: 'blackhole' },
      { op: 'rule_up' },
      { op: 'gate_up', interface: b.gated, limitBytes: 10_000 },
    ]);
    await node.client().call('stream_open', { stream: b.stream, address: b.address });
    await node.client().call('watch', requestsOf(b).watch);
    await node.client().call('arm', requestsOf(b).arm);
  }

  /** Returns everything of B's, by its agent and by the kernel. */
  async function stateOfB(): Promise<unknown> {
    const client = node.client();
    // The kernel's IPv6 addresses appear at any time.
    const looks = ['-d link', '-4 address', '-4 neighbour', '-4 rule', 'nexthop', '-4 route show table all'];
    return {
      inventory: await node.inventory(),
      armed: await client.call('armed_results', { id: b.armed }),
      stream: await client.call('stream_report', { stream: b.stream }),
      watches: (await client.call('watch_report', {})).watches.map(({ id, port, targets }) => ({
        id,
        port,
        targets: targets.map(({ name }) => name),
      })),
      pid: (await client.call('hello', {})).agent.pid,
      kernel: looks.map((words) => node.ip(words)),
      router: looks.map((words) => node.ip(words, b.namespace)),
    };
  }

  async function codeOf({ method, params }: Request): Promise<string> {
    try {
      await clientA.call(method, params as never);
      return 'done';
    } catch (error) {
      return error instanceof VnmError ? error.code : String(error);
    }
  }

  it("the agents refuse everything that A tries, and nothing of B's changes", async () => {
    const before = await stateOfB();
    for (const attempt of attempts(a, b)) {
      const expected = attempt.isInvisible ? 'not-found' : 'forbidden';
      expect([attempt, await codeOf(attempt)]).toEqual([attempt, expected]);
    }
    expect(await stateOfB()).toEqual(before);
  });

  it("no packet of A's gets into B's network, even if A sets no reverse-path check", async () => {
    const before = await stateOfB();
    const link = { interface: a.gated, mac, mtu: 1400, vni: a.vni, remote: a.remote, port: 4790 } as const;
    await clientA.call('apply', {
      operations: [
        { op: 'tunnel_up', kind: 'vxlan', ...link },
        { op: 'vif_up', interface: a.gated, address: a.address, peer: { address: a.peer, mac } },
        { op: 'rule_up' },
      ],
    });
    const inside = b.prefix.replace('0/24', '1');
    // B's rules come before A's, since its number is smaller.
    const way = (from: string, to: string) => () => node.ip(`route get ${to} from ${from} iif ${a.gated}`);
    expect(way(a.peer, a.address)()).toContain(`local ${a.address}`);
    for (const from of [a.peer, b.peer, '192.0.2.7']) expect(way(from, inside)).toThrow('Invalid argument');
    await clientA.call('apply', {
      operations: [{ op: 'tunnel_down', interface: a.gated }, { op: 'rule_down' }],
    });
    expect(await stateOfB()).toEqual(before);
  });

  it("the agents show A nothing of B's, and A's permitted requests do not affect B", async () => {
    const before = await stateOfB();
    const nothing = { namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false };
    expect(await clientA.call('inventory', {})).toEqual(nothing);
    expect(await clientA.call('watch_report', {})).toEqual({ watches: [] });
    const own = JSON.stringify([await clientA.call('hello', {}), await clientA.call('routes', {})]);
    for (const mark of Object.values(b).filter((mark) => mark !== b.remote)) expect(own).not.toContain(String(mark));
    const operations = operationsOf(a);
    await clientA.call('apply', { operations: [...operations.rule_up, ...operations.netns_up] });
    await clientA.call('apply', { operations: [...operations.netns_down, ...operations.rule_down] });
    await clientA.call('timer_lag', { samples: 1 });
    await clientA.call('shutdown', {});
    await new Promise((resolve) => agentA.once('close', resolve));
    expect(await stateOfB()).toEqual(before);
  });
});
