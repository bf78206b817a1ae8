/** What the planner does with the daemons of routers. */
import { expect, it } from 'vitest';
import type { Command, Step } from '../../../src/agent/dataplane/planner/commands.ts';
import { differencesOf } from '../../../src/agent/dataplane/planner/differences.ts';
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import { type KernelRoute, type KernelState, type Link, routeKey } from '../../../src/agent/dataplane/planner/state.ts';
import { refuseDaemons } from '../../../src/agent/dataplane/refuse-daemons.ts';
import { type Daemon, type Operation, type OperationInput, operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';

const policy = testPolicy('r-');
const namespace = 'r-a';
const place = { namespace, interface: 'pv001-a' };
const mac = '02:50:0a:41:00:01';
const up: OperationInput = { op: 'daemon_up', namespace, kind: 'bird', protocols: ['ospf'], config: 'one' };
const down: OperationInput = { op: 'daemon_down', namespace };
const daemon: Daemon = { kind: 'bird', protocols: ['ospf'], config: 'one' };

const vxlan = { vni: 4097, remote: '192.0.2.9', port: 4790 };

function stateWith(running?: Daemon, routes: readonly KernelRoute[] = [], link: Partial<Link> = {}): KernelState {
  const lo: Link = { name: 'lo', kind: 'loopback', up: true, mtu: 65_536, hook: false, addresses: [], neighbours: [] };
  const veth: Link = { ...lo, name: place.interface, kind: 'vxlan', mac, mtu: 1400, vxlan, ...link };
  const links = new Map([lo, veth].map((one) => [one.name, one]));
  const settings = new Map([['ipv4/nexthop_compat_mode', '0']]);
  return {
    stacks: new Map([
      ['', { links: new Map(), routes: new Map(), settings: new Map() }],
      [namespace, { links, routes: new Map(routes.map((route) => [routeKey(route), route])), settings }],
    ]),
    nexthops: new Map(),
    rules: new Set(),
    daemons: new Map(
      running === undefined
        ? []
        : [[namespace, { daemon: running, kind: running.kind, state: 'running', restarts: 0, processes: [] }]],
    ),
  };
}

function plan(state: KernelState, operations: readonly OperationInput[], { repair = false, limits = {} } = {}) {
  return planOperations(
    state,
    operations.map((one) => operationSchema.parse(one)),
    { ...policy, limits: { ...policy.limits, ...limits } },
    repair,
  );
}

function written(step: Step): string {
  if ('daemon' in step) return `daemon ${step.daemon === null ? 'none' : `${step.daemon.kind} ${step.daemon.config}`}`;
  if ('settings' in step) return [...step.settings].map((one) => one.join('=')).join(' ');
  return 'ip' in step ? step.ip.join(' ') + (step.rest ?? '') : 'other';
}

function lines(commands: readonly Command[]): string[] {
  return commands.map((command) => `${written(command.do)} <- ${command.undo.map(written).join('; ')}`);
}

const bySomebody = (protocol: number): KernelRoute => ({
  prefix: '10.65.9.0/24',
  type: 'unicast',
  nexthops: [{ interface: place.interface, weight: 1 }],
  protocol,
  table: 254,
  onlink: false,
});

it('a daemon is started, given another configuration and ended, each with its inverse', () => {
  expect(lines(plan(stateWith(), [up]).commands)).toEqual(['daemon bird one <- daemon none']);
  expect(plan(stateWith(daemon), [up]).commands).toEqual([]);
  expect(lines(plan(stateWith(daemon), [{ ...up, config: 'two' }]).commands)).toEqual([
    'daemon bird two <- daemon bird one',
  ]);
  expect(lines(plan(stateWith(daemon), [down]).commands)).toEqual(['daemon none <- daemon bird one']);
  expect(plan(stateWith(), [down]).commands).toEqual([]);
});

it('the order of protocols does not matter', () => {
  const frr: Daemon = { kind: 'frr', protocols: ['bgp', 'ospf'], config: 'one' };
  const compat = { ...stateWith(frr) };
  const asked: OperationInput = { ...up, kind: 'frr', protocols: ['ospf', 'bgp'] };
  expect(lines(plan(compat, [asked]).commands)).toEqual(['ipv4/nexthop_compat_mode=1 <- ipv4/nexthop_compat_mode=0']);
});

it('in a namespace with FRR the kernel shows next hops, also after netns_up', () => {
  const operations: OperationInput[] = [
    { op: 'netns_up', namespace, urpf: 'strict' },
    { ...up, kind: 'frr' },
  ];
  const first = plan(stateWith(), operations);
  expect(first.state.stacks.get(namespace)!.settings.get('ipv4/nexthop_compat_mode')).toBe('1');
  expect(plan(first.state, operations).commands).toEqual([]);
  const without = plan(first.state, [down, operations[0]!]);
  expect(without.state.stacks.get(namespace)!.settings.get('ipv4/nexthop_compat_mode')).toBe('0');
});

it('a daemon needs its namespace, ends before everything else in it, and counts for the limit', () => {
  expect(() => plan(stateWith(), [{ ...up, namespace: 'r-b' }])).toThrow("there is no namespace 'r-b'");
  expect(() => plan(stateWith(), [up], { limits: { daemons: 0 } })).toThrow(
    "slice 'test' may have at most 0 daemons on this node",
  );
  expect(plan(stateWith(daemon), [{ ...up, config: 'two' }], { limits: { daemons: 1 } }).commands).toHaveLength(1);
  const [first, ...rest] = lines(plan(stateWith(daemon), [{ op: 'netns_down', namespace }]).commands);
  expect(first).toBe('daemon none <- daemon bird one');
  expect(rest.at(-1)).toMatch(/^netns del r-a/);
});

it('routes of a daemon are left to it; those of others are removed one by one', () => {
  const [bird, other] = [bySomebody(12), bySomebody(246)];
  const end: OperationInput = { op: 'tunnel_down', ...place };
  expect(lines(plan(stateWith(daemon, [bird]), [end]).commands).some((line) => line.startsWith('route del'))).toBe(
    false,
  );
  expect(lines(plan(stateWith(undefined, [bird]), [end]).commands).some((line) => line.startsWith('route del'))).toBe(
    true,
  );
  expect(lines(plan(stateWith(daemon, [other]), [end]).commands).some((line) => line.startsWith('route del'))).toBe(
    true,
  );
  expect(plan(stateWith(daemon, [bird]), [down]).state.stacks.get(namespace)!.routes.size).toBe(0);
});

it('a daemon that is missing, another one, or failed is a difference; its routes are none', () => {
  const differences = (state: KernelState, ...operations: OperationInput[]) =>
    differencesOf(state, plan(state, operations, { repair: true }).state);
  const one = 'bird (ospf) with configuration 7692c3ad';
  const difference = { kind: 'daemon', namespace, name: 'daemon' };
  expect(differences(stateWith(), up)).toEqual([{ ...difference, wanted: one, found: null }]);
  expect(differences(stateWith(daemon), { ...up, config: 'two' })).toMatchObject([{ ...difference, found: one }]);
  expect(differences(stateWith(daemon, [bySomebody(12)]), down)).toEqual([{ ...difference, wanted: null, found: one }]);
  const known = stateWith(daemon).daemons!.get(namespace)!;
  const state: KernelState = { ...stateWith(), daemons: new Map([[namespace, { ...known, state: 'failed' }]]) };
  expect(plan(state, [up]).results).toEqual([{ op: 'daemon_up', status: 'changed' }]);
  expect(differences(state, up)).toEqual([{ ...difference, wanted: one, found: `${one}, failed` }]);
});

it('a plane without daemons refuses their operations', () => {
  expect(() => refuseDaemons([{ op: 'rule_up' }])).not.toThrow();
  const forDaemons: Operation[] = [
    { op: 'daemon_down', namespace },
    { op: 'control_up', namespace, gate: 'none' },
    { op: 'control_down', namespace },
  ];
  for (const one of forDaemons) {
    expect(() => refuseDaemons([one])).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: 'routers of the userspace data plane run no routing daemon',
      }),
    );
  }
});

const copied: KernelRoute = {
  prefix: '10.65.9.0/24',
  type: 'unicast',
  nexthops: [{ interface: place.interface, via: '10.65.0.2', weight: 1 }],
  protocol: 246,
  table: 254,
  onlink: true,
};
const copy: OperationInput = {
  op: 'vroute',
  action: 'add',
  namespace,
  prefix: copied.prefix,
  nexthops: [{ interface: place.interface, via: '10.65.0.2' }],
  protocol: 'bird',
};

it("a copy of a daemon's route has the daemon's protocol, also in place of the same route without it", () => {
  expect(written(plan(stateWith(), [copy]).commands[0]!.do)).toContain('route add 10.65.9.0/24 table 254 proto 12 via');
  const { commands } = plan(stateWith(undefined, [copied]), [copy]);
  expect(commands.map((command) => written(command.do))).toEqual([expect.stringContaining('proto 12')]);
  const own = { ...copied, protocol: 12 };
  expect(plan(stateWith(undefined, [own]), [copy]).commands).toEqual([]);
});

it('a daemon that leaves keeps its routes, and undoing that starts it with them', () => {
  const own = { ...copied, protocol: 12 };
  const { commands, state } = plan(stateWith(daemon, [own]), [{ op: 'daemon_leave', namespace }]);
  expect(commands).toEqual([
    { do: { namespace, daemon: null, graceful: true }, undo: [{ namespace, daemon, graceful: true }] },
  ]);
  expect([...state.stacks.get(namespace)!.routes.values()]).toEqual([own]);
  expect(plan(state, [{ op: 'daemon_leave', namespace }]).commands).toEqual([]);
});

it('a running daemon stays as it is when a graceful start is asked for', () => {
  expect(
    plan(stateWith(daemon), [{ ...up, graceful: true }]).commands.filter(({ do: step }) => 'daemon' in step),
  ).toEqual([]);
});
