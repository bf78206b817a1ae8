/**
 * Routers that move one after the other (method `vroom`), over nodes in memory: killed in each phase of each router,
 * and then resumed or rolled back, the VN is wholly on its new or wholly on its old placement.
 */
import { afterAll, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { killedWorlds } from '../support/killed-world.ts';
import { emptyState } from '../support/memory-plane/plane.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'gw1', 'gw2', 'h1', 'h2'];
const text = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [a, b]
  links: [[a, b]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: b } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1, b: n2 }, final: { a: n3, b: n4 } }
`;
const options = { ...usualOptions, method: 'vroom', to: 'final' } as const;
const { installed, run, expectWhole, expectEnd, describeDeaths, remove } = killedWorlds(text, options);
afterAll(remove);

const phases = ['set up', 'clone', 'prove', 'flip', 'verify', 'drain', 'retire'];

it('an undisturbed migration moves one router after the other, and loses nothing', async () => {
  const world = await installed();
  const { phases: seen, result, world: after } = await run(world, 'migrate');
  expect(result).toMatchObject({
    outcome: 'completed',
    method: 'vroom',
    moves: [
      { router: 'a', from: 'n1', to: 'n3' },
      { router: 'b', from: 'n2', to: 'n4' },
    ],
  });
  expect(result!.flips!.map(({ router, neighbour }) => `${router} ${neighbour}`)).toEqual([
    'a b',
    'a g1',
    'b a',
    'b g2',
  ]);
  expect(seen).toEqual(['add nodes', ...phases, ...phases]);
  await expectWhole(after, 'final');
  await world.testbed.end();
});

/** Where the recovering command is killed too. */
const again = { resume: ['clone', 'flip', 'retire'], rollback: ['roll back', 'remove the new place', 'flip'] };

describeDeaths(phases, again);

it('a migration that was being rolled back can still be finished', async () => {
  const world = await installed();
  const { world: killed } = await run(world, 'migrate', 'flip', 2);
  const { world: turned } = await run(killed, 'rollback', 'flip');
  await expectEnd(turned, 'resume');
  await world.testbed.end();
});

it('an interrupted migration moves back the routers that have moved', async () => {
  const world = await installed();
  const abort = new AbortController();
  const { result, world: after } = await run(world, 'migrate', undefined, 1, {
    signal: abort.signal,
    onPhase: (phase, count) => {
      if (phase === 'clone' && count === 2) abort.abort(new Error('interrupted'));
    },
  });
  expect(result).toMatchObject({ outcome: 'rolled-back', interrupted: true });
  await expectWhole(after, 'initial');
  await world.testbed.end();
});

it('a migration whose old node dies while it drains completes', async () => {
  const world = await installed();
  const { dead } = world.testbed;
  const { result } = await run(world, 'migrate', undefined, 1, {
    onPhase: (phase, count) => {
      if (phase === 'drain' && count === 1) dead.add('n1');
    },
  });
  expect(result).toMatchObject({ outcome: 'completed' });
  await world.testbed.end();
});

it('a migration that has failed can be resumed and rolled back once its nodes are back', async () => {
  for (const [command, placement] of [
    ['resume', 'final'],
    ['rollback', 'initial'],
  ] as const) {
    const world = await installed();
    const { dead } = world.testbed;
    const { result, world: failed } = await run(world, 'migrate', undefined, 1, {
      onPhase: (phase, count) => {
        if (phase === 'set up' && count === 2) dead.add('n2');
      },
    });
    expect(result?.outcome).toBe('failed');
    dead.clear();
    const { result: ended, world: after } = await run(failed, command);
    expect(ended?.outcome).toBe(command === 'resume' ? 'completed' : 'rolled-back');
    await expectWhole(after, placement);
    await world.testbed.end();
  }
});

it('a resume that cannot move the second router moves the first one back', async () => {
  const world = await installed();
  const { dead } = world.testbed;
  const { world: killed } = await run(world, 'migrate', 'set up', 2);
  const { result, world: after } = await run(killed, 'resume', undefined, 1, {
    onPhase: (phase, count) => {
      if (phase === 'clone' && count === 1) dead.add('n4');
      else if (phase === 'remove the new place') dead.clear();
    },
  });
  expect(result?.outcome).toBe('rolled-back');
  await expectWhole(after, 'initial');
  await world.testbed.end();
});

it('a neighbour that lost everything meanwhile is repaired before the migration continues', async () => {
  for (const phase of ['prove', 'verify']) {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', phase);
    const address = world.slice.nodes.get('n2')!.host!;
    const host = world.testbed.network.get(address)!;
    host.state = emptyState(address);
    const { result, world: after } = await run(killed, 'resume');
    expect(result?.outcome).toBe('completed');
    await expectWhole(after, 'final');
    await world.testbed.end();
  }
});

it('a whole instance can follow where a node is dead for good and no router is on two nodes', async () => {
  const world = await installed();
  const { dead } = world.testbed;
  const { world: killed } = await run(world, 'migrate', 'set up', 2);
  dead.add('n3');
  await expect(run(killed, 'resume')).rejects.toMatchObject({
    code: 'unreachable',
    hint: expect.stringContaining('--method instance --resume-first'),
  });
  const change = { method: 'instance', to: 'initial', resumeFirst: true } as const;
  const { result, world: after } = await run(killed, 'migrate', undefined, 1, { change });
  expect(result?.outcome).toBe('completed');
  dead.clear();
  const { result: nothing } = await run(after, 'resume');
  expect(nothing?.outcome).toBe('unchanged');
  await world.testbed.end();
});
