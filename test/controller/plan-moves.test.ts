/** What `plan --method vroom` predicts, over nodes in memory, and that it changes nothing. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { movesPlanText } from '../../src/cli/moves-plan-text.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { checkMoves } from '../../src/controller/migration/check-moves.ts';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { type PlanOptions, plan } from '../../src/controller/plan.ts';
import type { MovesPlan } from '../../src/controller/plan-moves.ts';
import type { Slice } from '../../src/model/slice.ts';
import { groupMoves } from '../../src/planning/neighbourhood.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { type MemoryTestbed, memoryTestbed } from '../support/memory-testbed.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5', 'gw1', 'gw2', 'h1', 'h2'];
const textWith = (routers: string) => `
slice: line
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 2 }
vn:
  name: line
  ${routers}
  links: [[a, b, 10], [b, c, 10]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: c } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements:
  initial: { a: n1, b: n2, c: n3 }
  final: { a: n3, b: n2, c: n5 }
  joined: { a: n2, b: n2, c: n3 }
`;
let temporary: ReturnType<typeof temporaryStore>;
let testbed: MemoryTestbed | undefined;
beforeEach(() => {
  temporary = temporaryStore();
});
afterEach(async () => {
  await testbed?.end();
  testbed = undefined;
  temporary.remove();
});

function saved(routers = 'routers: [a, b, c]'): { readonly slice: Slice; readonly context: Context } {
  const { store } = temporary;
  store.slices.save(parseSlice(textWith(routers), 'line.yaml'));
  const slice = store.slices.find('line')!;
  testbed = memoryTestbed(slice);
  const { connections } = testbed.controller();
  return { slice, context: { store, acceptNewHostKeys: false, report: () => {}, connections } };
}

async function installed(routers?: string) {
  const { slice, context } = saved(routers);
  await install(context, slice, { placement: 'initial', urpf: 'feasible' });
  const planned = (options: Partial<PlanOptions>) =>
    plan(context, slice, slice.vns[0]!, { granularity: 'gateway', method: 'vroom', to: 'final', ...options });
  return { slice, context, planned: planned as (options: Partial<PlanOptions>) => Promise<MovesPlan> };
}

it('a plan has the order, the groups, the flips and the latencies, and changes nothing', async () => {
  const { planned } = await installed();
  const { network } = testbed!;
  const statesOf = () => structuredClone([...network.values()].map(({ state }) => state));
  const [before, instances] = [statesOf(), temporary.store.instances.list()];
  const result = await planned({ parallel: 2 });
  expect(result).toEqual({
    ...{ slice: 'line', vn: 'line', method: 'vroom', from: 'initial', to: 'final' },
    moves: [
      { router: 'a', from: 'n1', to: 'n3' },
      { router: 'b', from: 'n2', to: 'n2' },
      { router: 'c', from: 'n3', to: 'n5' },
    ],
    groups: [
      [
        { router: 'a', from: 'n1', to: 'n3', neighbours: ['b', 'g1'], daemon: null, controlPlane: null },
        { router: 'c', from: 'n3', to: 'n5', neighbours: ['b', 'g2'], daemon: null, controlPlane: null },
      ],
    ],
    flows: [{ from: 'e1', to: 'e2', oldLatencyMs: 8, newLatencyMs: 8, predictedLost: 0 }],
    checked: true,
    refusals: [],
  });
  expect(statesOf()).toEqual(before);
  expect(temporary.store.instances.list()).toEqual(instances);
  expect(temporary.store.migrations.list()).toEqual([]);
  expect(
    movesPlanText(result),
  ).toBe(`VN 'line' from 'initial' to 'final', method vroom, up to 2 routers at the same time

turn  router  from node  to node  neighbours that flip  routing daemon
----  ------  ---------  -------  --------------------  --------------
   1  a       n1         n3       b, g1
   1  c       n3         n5       b, g2
      b       n2         (stays)

flow      old path ms  new path ms  lost packets
--------  -----------  -----------  ------------
e1 -> e2          8.0          8.0           0.0

both places of a router forward while its neighbours flip their links, so nothing is lost in any uRPF mode.`);
});

it('migrate moves the routers in the order of the plan', async () => {
  const { context, slice, planned } = await installed();
  const { groups } = await planned({});
  expect(groups.map((group) => group.map(({ router }) => router))).toEqual([['a'], ['c']]);
  const result = await migrate(context, slice, slice.vns[0]!, { ...usualOptions, method: 'vroom', to: 'final' });
  const flips = groups
    .flat()
    .flatMap(({ router, to, neighbours }) => neighbours.map((neighbour) => ({ router, to, neighbour })));
  expect(result.flips).toMatchObject(flips);
  const there = await planned({});
  expect(there).toMatchObject({ from: 'final', to: 'final', groups: [], refusals: [], checked: false });
  expect(movesPlanText(there)).toContain('every router is already there: nothing would change.');
});

it('a plan for one router goes to a placement without a name', async () => {
  const { planned } = await installed();
  const result = await planned({ router: 'c', to: 'n5' });
  expect(result).toMatchObject({ from: 'initial', to: null, groups: [[{ router: 'c', from: 'n3', to: 'n5' }]] });
});

it('a plan says what migrate would refuse: a move onto the node of a neighbour', async () => {
  const { planned } = await installed();
  const result = await planned({ to: 'joined' });
  const message =
    "a router cannot move to or from the node of its neighbour: router 'a' would join its neighbour, router 'b', on node 'n2'";
  expect(result).toMatchObject({ groups: [], refusals: [{ code: 'unsupported', message }] });
  expect(movesPlanText(result)).toContain(
    `\nmigrate would refuse this: ${message}\n  hint: use --method instance, or a node without a neighbour of the router`,
  );
});

it('a plan says what migrate would refuse: an unreachable node', async () => {
  const { planned } = await installed();
  testbed!.dead.add('n5');
  expect(await planned({})).toMatchObject({
    groups: [[{}], [{}]],
    refusals: [{ code: 'unreachable', message: "node 'n5' is unreachable" }],
  });
});

it('a plan says what migrate would refuse: damage, with the command that repairs it first', async () => {
  const { slice, planned } = await installed();
  const host = testbed!.network.get(slice.nodes.get('n2')!.host!)!;
  host.state = { ...host.state, stacks: new Map([...host.state.stacks].filter(([name]) => !name.includes('_'))) };
  const { refusals } = await planned({ router: 'c', to: 'n5' });
  expect(refusals).toMatchObject([
    {
      code: 'conflict',
      message: expect.stringContaining("router b is not on node 'n2'"),
      hint: expect.stringContaining('pl-vnm migrate line --method vroom --router c --to n5 --repair-first'),
    },
  ]);
});

it('a plan names the way of each routing daemon, and says why it cannot move so', async () => {
  const speakers = ['a', 'b', 'c'].map((name, index) => `{ name: ${name}, kind: bird, bgp: { as: ${65001 + index} } }`);
  const { planned } = await installed(
    `routers: [${speakers.join(', ')}]\n  routing: { protocol: ospf, hello: 1, dead: 4 }`,
  );
  const declared = await planned({ latency: 'declared' });
  expect(declared.groups.flat()).toMatchObject([
    { router: 'a', daemon: 'bird', controlPlane: null },
    { router: 'c', daemon: 'bird', controlPlane: null },
  ]);
  const graceful = await planned({ controlPlane: 'graceful' });
  expect(graceful.groups.flat()).toMatchObject([{ controlPlane: null }, { controlPlane: null }]);
  expect(graceful.flows).toMatchObject([{ predictedLost: 0 }]);
  expect(graceful.refusals.map(({ message }) => message)).toEqual(
    ['a', 'c'].map((router) => `--control-plane graceful is not possible: router '${router}' also speaks BGP`),
  );
  const cold = await planned({ controlPlane: 'restart' });
  expect(cold.groups.flat().map(({ controlPlane }) => controlPlane)).toEqual(['restart', 'restart']);
  expect(cold).toMatchObject({ flows: [{ predictedLost: null }], refusals: [] });
  const text = movesPlanText(cold);
  expect(text).toMatch(/\n +2 +c +n3 +n5 +b, g2 +bird, restart\n/);
  expect(text).toMatch(/\ne1 -> e2 .* unknown\n\nrouting daemons that restart cold lose /);
});

it('a plan says what migrate would refuse: holding OSPF packets where no router speaks it', async () => {
  const { planned } = await installed();
  const message = '--hold-control has nothing to hold: no router that moves speaks OSPF';
  expect(await planned({ holdControl: true })).toMatchObject({ refusals: [{ code: 'usage', message }] });
});

it('a plan with declared latencies, or from another placement, asks no node', async () => {
  const { planned } = await installed();
  for (const node of nodes) testbed!.dead.add(node);
  const declared = await planned({ latency: 'declared' });
  expect(declared).toMatchObject({ groups: [[{ router: 'a' }], [{ router: 'c' }]], checked: false, refusals: [] });
  expect(movesPlanText(declared)).toContain('\nthe nodes were not asked, and may refuse more');
  const back = await planned({ from: 'final', to: 'initial' });
  expect(back).toMatchObject({ groups: [[{ router: 'a', from: 'n3' }], [{ router: 'c' }]], checked: false });
});

it('a VN that is not installed is planned from its initial placement', async () => {
  const { context, slice } = saved();
  const result = await plan(context, slice, slice.vns[0]!, { granularity: 'gateway', method: 'vroom', to: 'final' });
  expect(result).toMatchObject({ from: 'initial', groups: [[{ router: 'a' }], [{ router: 'c' }]], checked: false });
});

it.each<[Partial<PlanOptions>, string, string]>([
  [{ latency: 'measured' }, 'usage', 'a plan for method vroom sets up nothing, so it has no --latency measured'],
  [{ schedule: 'hold' }, 'usage', 'method vroom redirects no gateway, so it has no --schedule hold'],
  [{ urpf: 'loose' }, 'usage', 'method vroom redirects no gateway, so it has no --urpf loose'],
  [{ router: 'z', to: 'n5' }, 'not-found', "VN 'line' has no router 'z'"],
  [{ to: 'nowhere' }, 'not-found', "VN 'line' has no placement 'nowhere'"],
  [{ method: 'instance', router: 'c', to: 'n5' }, 'usage', 'method instance moves all routers of a VN'],
  [{ method: 'instance', parallel: 2 }, 'usage', 'method instance moves all routers together, so it has no --parallel'],
])('a plan with %j is refused', async (options, code, message) => {
  const { planned } = await installed();
  await expect(planned(options)).rejects.toMatchObject({ code, message });
});

it('a plan is refused while a migration is unfinished', async () => {
  const { planned } = await installed();
  const [record] = temporary.store.instances.list();
  temporary.store.instances.beginMove(record!.id, 'c', { node: 'n5', namespace: 'pv-line_0-c' });
  await expect(planned({})).rejects.toMatchObject({
    code: 'conflict',
    message: "VN 'line' of slice 'line': router 'c' is moving to node 'n5'; the move was interrupted",
  });
});

it('a node whose policy has no room for all routers of a group is refused, with the way to move fewer', async () => {
  const { context, slice } = await installed();
  const vn = slice.vns[0]!;
  const record = context.store.instances.active('line', 'line')!;
  const instance = context.store.instances.plan(record.id);
  const limits = { namespaces: 99, tunnels: 99, routes: 999, daemons: 0 };
  const limitsOf = (node: string) => (node === 'n2' ? { ...limits, tunnels: 3 } : limits);
  const agents = {
    slice,
    missing: new Map(),
    nodes: () => nodes,
    address: (node: string) => node,
    get: (node: string) => ({ facts: { agent: { process: node, pid: 7 }, policy: { limits: limitsOf(node) } } }),
  } as never;
  const refused = (parallel: number) => {
    const groups = groupMoves(vn, instance, vn.placements.get('final')!, parallel);
    return checkMoves(context, agents, vn, instance, groups, { parallel, method: 'vroom' }).refusals;
  };
  const message = expect.stringMatching(/^node 'n2': slice 'line' would have 4 tunnels \(2 of them /);
  const hint = expect.stringMatching(/; or move fewer routers at once with --parallel$/);
  expect(refused(2)).toMatchObject([{ code: 'forbidden', message, hint }]);
  expect(refused(1)).toEqual([]);
});
