/**
 * Switches that move one after the other (method `flow`), over nodes in memory: killed in each phase, and then resumed
 * or rolled back, each switch is wholly at its new or wholly at its old place.
 */
import { afterAll, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { VnmError } from '../../src/model/errors.ts';
import { killedWorlds } from '../support/killed-world.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'gw1', 'gw2', 'h1', 'h2'];
const text = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [{ name: a, kind: switch }, { name: b, kind: switch }, c]
  links: [[a, b], [b, c]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: c } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1, b: n2, c: n4 }, final: { a: n3, b: n1, c: n4 } }
`;
const options = { ...usualOptions, method: 'flow', to: 'final' } as const;
const { installed, run, expectWhole, expectEnd, describeDeaths, remove } = killedWorlds(text, options);
afterAll(remove);

const phases = ['set up', 'clone', 'prove', 'flip', 'verify', 'drain', 'retire'];

it('an undisturbed migration moves one switch after the other, at instants that its neighbours were armed for', async () => {
  const world = await installed();
  const { phases: seen, result, world: after } = await run(world, 'migrate');
  expect(result).toMatchObject({
    outcome: 'completed',
    method: 'flow',
    moves: [
      { router: 'a', from: 'n1', to: 'n3' },
      { router: 'b', from: 'n2', to: 'n1' },
      { router: 'c', from: 'n4', to: 'n4' },
    ],
    flowChanges: [{ router: 'a' }, { router: 'b' }],
  });
  // Router c is static, so a batch changes it.
  expect(
    result!.flips!.map(({ router, neighbour, plannedAt }) => [router, neighbour, plannedAt !== undefined]),
  ).toEqual([
    ['a', 'b', true],
    ['a', 'g1', true],
    ['b', 'a', true],
    ['b', 'c', false],
  ]);
  for (const { plannedAt, startedAt } of result!.flips!)
    if (plannedAt !== undefined) expect(startedAt).toBeGreaterThanOrEqual(Math.floor(plannedAt));
  expect(seen).toEqual(['add nodes', ...phases, ...phases]);
  await expectWhole(after, 'final');
  await world.testbed.end();
});

describeDeaths(['flip', { after: 'arm' }, 'drain'], {
  resume: ['flip', 'retire'],
  rollback: ['roll back', 'remove the new place'],
});

it('a flip that no neighbour can be armed for is done by a batch', async () => {
  const world = await installed();
  world.testbed.faults.set('arm', new VnmError('failed', 'no timing thread'));
  const { result, world: after } = await run(world, 'migrate');
  world.testbed.faults.clear();
  expect(result).toMatchObject({ outcome: 'completed' });
  expect(result!.flips!.every(({ plannedAt }) => plannedAt === undefined)).toBe(true);
  expect(result!.flowChanges).toBeUndefined();
  await expectWhole(after, 'final');
  await world.testbed.end();
});

it('a node without Open vSwitch is refused before anything changes, by name', async () => {
  const world = await installed();
  world.testbed.lacking.add('openvswitch');
  await expect(run(world, 'migrate')).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining("there is no Open vSwitch for router 'a': its agent is of an earlier version"),
  });
  world.testbed.lacking.clear();
  await expectEnd(world, 'rollback');
  await world.testbed.end();
});
