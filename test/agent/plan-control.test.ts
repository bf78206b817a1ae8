/** Tests the plans for OSPF packets of a router that moves, on written states. */
import { expect, it } from 'vitest';
import type { Command, Step } from '../../src/agent/dataplane/planner/commands.ts';
import { planOperations } from '../../src/agent/dataplane/planner/plan.ts';
import type { ControlCounts, KernelState, Link, Stack } from '../../src/agent/dataplane/planner/state.ts';
import { type OperationInput, operationSchema } from '../../src/vsys/operations.ts';
import { testPolicy } from '../support/agent-node.ts';

const policy = testPolicy('r-');
const namespace = 'r-x';
const [mac, other] = ['02:50:0a:41:00:01', '192.0.2.7'];
const down: OperationInput = { op: 'control_down', namespace };
const up = (how: { sendTo?: string; gate?: 'none' | 'closed' | 'open' } = {}): OperationInput => {
  return { op: 'control_up', namespace, ...how };
};

function state(links: readonly Link[], more: Partial<Stack> = {}): KernelState {
  const router: Stack = {
    links: new Map(links.map((link) => [link.name, link])),
    routes: new Map(),
    settings: new Map(),
    ...more,
  };
  const own: Stack = { links: new Map(), routes: new Map(), settings: new Map() };
  return {
    stacks: new Map([
      ['', own],
      [namespace, router],
    ]),
    nexthops: new Map(),
    rules: new Set(),
  };
}

function tunnel(name: string): Link {
  const vxlan = { vni: 4097, remote: '192.0.2.9', port: 4790 };
  return { name, kind: 'vxlan', up: true, mtu: 1400, mac, vxlan, hook: false, addresses: [], neighbours: [] };
}

const plan = (from: KernelState, ...operations: OperationInput[]) =>
  planOperations(
    from,
    operations.map((one) => operationSchema.parse(one)),
    policy,
  );

/** Each rule of a table by its name, a table that is removed as such, and other steps as typed. */
function written(step: Step): string {
  if ('nft' in step) {
    const rules = step.nft.flatMap((line) => /comment "pl-vnm 1 (.*)"$/.exec(line)?.[1] ?? []);
    return `rules: ${rules.join(', ') || 'none'}`;
  }
  if ('settleMs' in step) return `wait ${step.settleMs} ms`;
  if ('listeners' in step) return `wait for listeners at ${step.listeners.join(', ')}`;
  if ('ip' in step) return `ip ${step.ip.join(' ')}`;
  if ('tc' in step) return `tc ${step.tc.join(' ')}`;
  if ('bridge' in step) return `bridge ${step.bridge.join(' ')}`;
  return JSON.stringify(step);
}
const done = (commands: readonly Command[]) => commands.map((command) => written(command.do));
const undone = (commands: readonly Command[]) => commands.toReversed().flatMap((command) => command.undo.map(written));

const entry = (action: string) =>
  `bridge fdb ${action} ${mac} dev pv001-a dst ${other} self${action === 'replace' ? ' permanent' : ''}`;
const bucket = (closed: boolean) =>
  `tc qdisc replace dev pv001-ctl root handle 1: tbf ${
    closed ? 'rate 4gbit burst 4294901761 overhead 65535' : 'rate 8000000 burst 16kb'
  } limit 4194304`;

it('the device comes before the rules and goes after them, so that it shows where there may be some', () => {
  const { commands, state: made } = plan(state([tunnel('pv001-a')]), up({ sendTo: other }));
  expect(done(commands)).toEqual([
    expect.stringMatching(/^ip link add pv001-ctl .* type ifb$/),
    'ip link set pv001-ctl up',
    bucket(false),
    entry('replace'),
    `rules: send pv001-a ${other}`,
  ]);
  expect(undone(commands)).toEqual([
    'rules: none',
    entry('del'),
    'tc qdisc del dev pv001-ctl root',
    'ip link set pv001-ctl down',
    'ip link del pv001-ctl',
  ]);
  expect(plan(made, up({ sendTo: other })).commands).toEqual([]);
  const removal = plan(made, down).commands;
  expect(done(removal)).toEqual(['rules: none', entry('del'), 'ip link del pv001-ctl']);
  expect(plan(plan(made, down).state, down).commands).toEqual([]);
});

it('a gate closes before the rules lead to it, and opens when a daemon listens where it holds packets', () => {
  const closing = plan(state([tunnel('pv001-a'), tunnel('pv001-b')]), up({ gate: 'closed' }));
  expect(done(closing.commands).slice(2)).toEqual([bucket(true), 'rules: hold pv001-a, hold pv001-b']);
  const counts = (held: [string, number][], waitingBytes = 0): ControlCounts => {
    return { sent: 0, held: new Map(held), dropped: 0, waitingBytes };
  };
  const router = closing.state.stacks.get(namespace)!;
  const read = (controlCounts: ControlCounts) => state([...router.links.values()], { ...router, controlCounts });
  const holding = read(
    counts([
      ['pv001-a', 3],
      ['pv001-b', 0],
    ]),
  );
  expect(done(plan(holding, up({ gate: 'open' })).commands)).toEqual(['wait for listeners at pv001-a', bucket(false)]);
  expect(done(plan(read(counts([])), up({ gate: 'open' })).commands)).toEqual([bucket(false)]);
  // 1,000,000 bytes at 8 Mbit/s.
  const full = read(counts([['pv001-a', 9]], 1_000_000));
  expect(done(plan(full, down).commands)).toEqual([
    bucket(false),
    'wait 1100 ms',
    'rules: none',
    'wait 100 ms',
    'ip link del pv001-ctl',
  ]);
  expect(done(plan(full, up()).commands)).toEqual([bucket(false), 'wait 1100 ms', 'rules: none']);
});

it('a tunnel leaves the rules before it goes, and the last one takes them along', () => {
  const { state: made } = plan(state([tunnel('pv001-a'), tunnel('pv001-b')]), up({ gate: 'closed' }));
  const tunnelDown = (name: string): OperationInput => ({ op: 'tunnel_down', namespace, interface: name });
  const first = plan(made, tunnelDown('pv001-a'));
  expect(done(first.commands)).toEqual(['rules: hold pv001-b', 'ip link del pv001-a']);
  const last = done(plan(first.state, tunnelDown('pv001-b')).commands);
  expect(last).toContain('ip link del pv001-ctl');
  expect(last.at(-1)).toBe('ip link del pv001-b');
  const gone = plan(made, { op: 'netns_down', namespace });
  expect(done(gone.commands).at(-1)).toBe(`ip netns del ${namespace}`);
  expect(gone.state.stacks.has(namespace)).toBe(false);
});

it('a table that a killed agent left half done is replaced', () => {
  const { state: made } = plan(state([tunnel('pv001-a')]), up({ sendTo: other, gate: 'closed' }));
  const { control: _, ...without } = made.stacks.get(namespace)!;
  const half = state([...without.links.values()], without);
  expect(done(plan(half, up({ sendTo: other, gate: 'closed' })).commands)).toEqual([
    entry('replace'),
    `rules: send pv001-a ${other}, hold pv001-a`,
  ]);
  expect(done(plan(half, down).commands)).toEqual(['rules: none', 'ip link del pv001-ctl']);
});
