/** What the planner does with the virtual machines of routers. */
import { expect, it } from 'vitest';
import type { Command, Step } from '../../../src/agent/dataplane/planner/commands.ts';
import { differencesOf } from '../../../src/agent/dataplane/planner/differences.ts';
import { toInventory } from '../../../src/agent/dataplane/planner/inventory.ts';
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import { portLines, portState, ruleNames } from '../../../src/agent/dataplane/planner/ports.ts';
import type { KernelState, KnownMachine, Link } from '../../../src/agent/dataplane/planner/state.ts';
import { refuseDaemons } from '../../../src/agent/dataplane/refuse-daemons.ts';
import { type Machine, type PortState, portStates } from '../../../src/vsys/machine.ts';
import { type Operation, type OperationInput, operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';

const policy = testPolicy('r-');
const namespace = 'r-a';
const name = 'pv001-a';
const peer = { address: '10.65.0.1', mac: '02:50:0a:41:00:01' };
const machine: Machine = {
  image: 'ab'.repeat(32),
  memoryMib: 96,
  console: 'log',
  mtu: 1400,
  ports: [{ interface: name, mac: '02:50:0a:41:00:00', address: '10.65.0.0', peer }],
  files: { 'router.conf': 'name a\n' },
};
const up: OperationInput = { op: 'machine_up', namespace, ...machine };
const vxlan = { vni: 4097, remote: '192.0.2.9', port: 4790 };

function stateWith(
  running?: { machine?: Machine; ports?: PortState; state?: KnownMachine['state'] },
  link: Partial<Link> = {},
): KernelState {
  const lo: Link = { name: 'lo', kind: 'loopback', up: true, mtu: 65_536, hook: false, addresses: [], neighbours: [] };
  const tunnel: Link = { ...lo, name, kind: 'vxlan', mac: peer.mac, mtu: 1400, vxlan, ...link };
  const known = running?.machine ?? machine;
  const rules = { portRules: ruleNames({ ports: known.ports, state: running?.ports ?? 'open' }) };
  const links = new Map([lo, tunnel].map((one) => [one.name, one]));
  return {
    stacks: new Map([
      ['', { links: new Map(), routes: new Map(), settings: new Map() }],
      [namespace, { links, routes: new Map(), settings: new Map(), ...(running === undefined ? {} : rules) }],
    ]),
    nexthops: new Map(),
    rules: new Set(),
    machines: new Map(
      running === undefined
        ? []
        : [[namespace, { machine: known, state: running.state ?? 'running', restarts: 0, answers: true }]],
    ),
  };
}

function plan(state: KernelState, operations: readonly OperationInput[], limits = {}, repair = false) {
  return planOperations(
    state,
    operations.map((one): Operation => operationSchema.parse(one)),
    { ...policy, limits: { ...policy.limits, ...limits } },
    repair,
  );
}

function written(step: Step): string {
  if ('machine' in step) return `machine ${step.machine === null ? 'none' : step.machine.memoryMib}`;
  if ('nft' in step) {
    const states = portStates.filter((state) => step.nft.some((line) => line.includes(`"pl-vnm 1 ${state} `)));
    return `ports ${states.join() || 'none'}`;
  }
  return 'ip' in step ? step.ip.join(' ') : 'other';
}

function lines(commands: readonly Command[]): string[] {
  return commands.map((command) => `${written(command.do)} <- ${command.undo.map(written).join('; ')}`);
}

it('a machine is started before its links are joined, and a second time changes nothing', () => {
  const { commands, state, results } = plan(stateWith(undefined, { up: false }), [up]);
  expect(lines(commands)).toEqual([
    `link set ${name} up <- link set ${name} down`,
    'machine 96 <- machine none',
    'ports open <- ports none',
  ]);
  expect(results).toEqual([{ op: 'machine_up', status: 'changed' }]);
  expect(plan(state, [up]).commands).toEqual([]);
});

it('another state of the ports leaves the machine alone', () => {
  const { commands } = plan(stateWith({}), [{ ...up, state: 'leaving' }]);
  expect(lines(commands)).toEqual(['ports leaving <- ports open']);
});

it('a machine with other properties is started again, with its links parted meanwhile', () => {
  const { commands } = plan(stateWith({}), [{ ...up, memoryMib: 128 }]);
  expect(lines(commands)).toEqual([
    'ports none <- ports open',
    'machine 128 <- machine 96',
    'ports open <- ports none',
  ]);
  expect(lines(plan(stateWith({ state: 'failed' }), [up]).commands)).toContain('machine 96 <- machine 96');
});

it('a namespace is removed after its machine', () => {
  const { commands, state } = plan(stateWith({}), [{ op: 'netns_down', namespace }]);
  expect(lines(commands).slice(0, 2)).toEqual(['ports none <- ports open', 'machine none <- machine 96']);
  expect(state.machines!.size).toBe(0);
  const moving = plan(stateWith({ state: 'moving' }), [{ op: 'machine_down', namespace }]);
  expect(lines(moving.commands)).toEqual(['ports none <- ports open', 'machine none <- ']);
});

it('a link that is made again is joined again', () => {
  const { stacks, ...rest } = stateWith({});
  const links = new Map([...stacks.get(namespace)!.links].filter(([one]) => one !== name));
  const without = { ...rest, stacks: new Map([...stacks, [namespace, { ...stacks.get(namespace)!, links }]]) };
  const tunnel: OperationInput = {
    ...{ op: 'tunnel_up', kind: 'vxlan', interface: name, namespace, mac: machine.ports[0]!.mac },
    ...{ mtu: 1400, vni: 4097, remote: '192.0.2.9', port: 4790 },
  };
  expect(lines(plan(without, [tunnel, up], {}, true).commands).at(-1)).toMatch(/^ports open/);
});

it('a machine needs its namespace and its links, which have no addresses', () => {
  expect(() => plan(stateWith(), [{ ...up, namespace: 'r-b' }])).toThrow("there is no namespace 'r-b'");
  const port = { ...machine.ports[0]!, interface: 'pv001-b' };
  expect(() => plan(stateWith(), [{ ...up, ports: [port] }])).toThrow("there is no interface 'pv001-b'");
  const addresses = [{ address: '10.65.0.0', length: 31, bare: false }];
  expect(() => plan(stateWith(undefined, { addresses }), [up])).toThrow('which the machine should have');
});

it('the policy limits the number of machines and their memory', () => {
  expect(() => plan(stateWith(), [up], { machines: 0 })).toThrow('may have at most 0 machines on this node');
  expect(() => plan(stateWith(), [up], { machineMib: 95 })).toThrow(
    'may have machines with 95 MiB of memory on this node: 0 MiB are taken, requested: 96',
  );
  expect(plan(stateWith({}), [{ ...up, state: 'closed' }], { machines: 1, machineMib: 96 }).commands).toHaveLength(1);
});

it('differences name what a machine is made of and the state of its ports', () => {
  const differs = (found: KernelState) => differencesOf(found, plan(found, [up], {}, true).state);
  expect(differs(stateWith({}))).toEqual([]);
  const [closed] = differs(stateWith({ ports: 'closed' }));
  expect(closed).toMatchObject({ kind: 'machine', name: 'machine', namespace });
  expect(closed!.found).toMatch(/^image abababab with 96 MiB and configuration [0-9a-f]{8}, ports closed$/);
  expect(differs(stateWith())).toMatchObject([{ kind: 'machine', found: null }]);
});

it('the inventory says whether rules are missing', () => {
  const found = stateWith({});
  const broken = new Map([...found.stacks, [namespace, { ...found.stacks.get(namespace)!, portRules: ['x'] }]]);
  const reports = [found, { ...found, stacks: broken }].map((state) => toInventory(state).machines);
  expect(reports).toMatchObject([
    [{ namespace, memoryMib: 96, image: machine.image, ports: 'open', answers: true }],
    [{ ports: 'damaged' }],
  ]);
});

it('the names of the rules say in which state the ports are', () => {
  for (const state of portStates)
    expect(portState(machine.ports, ruleNames({ ports: machine.ports, state }))).toBe(state);
  expect(portState(machine.ports, [])).toBe('damaged');
  const own = portLines({ ports: machine.ports, state: 'leaving' }).filter((line) => line.includes(' saddr '));
  expect(own).toEqual([expect.stringContaining('iifname "vm0" ip saddr { 10.65.0.0 } drop')]);
  const closed = portLines({ ports: machine.ports, state: 'closed' });
  expect(closed.filter((line) => line.includes('fwd'))).toEqual([]);
});

it('the userspace data plane has no machines', () => {
  expect(() => refuseDaemons([operationSchema.parse(up)])).toThrow('are no virtual machines');
});
