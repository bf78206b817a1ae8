/**
 * Routers whose daemons move by checkpoints, over nodes in memory: killed at the points where a daemon is on neither or
 * on both nodes, and where a request fails. Wholly old or wholly new, each router has one living daemon. All points are
 * in killed-checkpoints-everywhere.test.ts.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { VnmError } from '../../src/model/errors.ts';
import { killedWorlds } from '../support/killed-world.ts';
import { emptyState } from '../support/memory-plane/plane.ts';
import { livingPhases, twoLivingRouters } from '../support/two-living-routers.ts';

const options = { ...usualOptions, method: 'vroom', to: 'final', holdControl: true } as const;
const { installed, run, expectWhole, expectEnd, describeDeaths, remove } = killedWorlds(twoLivingRouters, options);
afterAll(remove);

describe.concurrent('daemons that move by checkpoints', () => {
  it('an undisturbed migration carries one daemon after the other, without being asked to', async () => {
    const world = await installed();
    const { phases: seen, result, world: after } = await run(world, 'migrate');
    const checkpoint = {
      bytes: expect.any(Number),
      dumpMs: expect.any(Number),
      transferMs: expect.any(Number),
      restoreMs: expect.any(Number),
    };
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', from: 'n1', to: 'n3', way: 'checkpoint', cold: false, checkpoint },
        { router: 'b', from: 'n2', to: 'n4', way: 'checkpoint', cold: false, checkpoint },
      ],
    });
    expect(seen).toEqual(['add nodes', ...livingPhases, ...livingPhases]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it('if a checkpoint that was asked for fails, the original continues', async () => {
    const world = await installed();
    world.testbed.faults.set('daemon_restore', new VnmError('failed', 'CRIU has failed'));
    const change = { controlPlane: 'checkpoint' } as const;
    const { result, world: after } = await run(world, 'migrate', undefined, 1, { change });
    expect(result).toMatchObject({ outcome: 'rolled-back', error: "node 'n3': CRIU has failed" });
    expect(result?.controlPlanes).toBeUndefined();
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });

  it('if one that was not asked for fails, the daemon moves by a graceful restart', async () => {
    const world = await installed();
    world.testbed.faults.set('daemon_restore', new VnmError('failed', 'CRIU has failed'));
    const { result, world: after } = await run(world, 'migrate');
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', way: 'graceful' },
        { router: 'b', way: 'graceful' },
      ],
    });
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it.each(['resume', 'rollback'] as const)('%s knows that it moves by a graceful restart instead', async (command) => {
    const world = await installed();
    world.testbed.faults.set('daemon_restore', new VnmError('failed', 'CRIU has failed'));
    const { world: killed } = await run(world, 'migrate', 'flip');
    world.testbed.faults.clear();
    const { result, world: after } = await run(killed, command);
    if (command === 'resume')
      expect(result?.controlPlanes?.map(({ router, way }) => `${router} ${way}`)).toEqual([
        'a graceful',
        'b checkpoint',
      ]);
    await expectWhole(after, command === 'resume' ? 'final' : 'initial');
    await world.testbed.end();
  });

  it('a rollback whose checkpoint fails takes the daemon back nevertheless', async () => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', 'verify');
    world.testbed.faults.set('daemon_dump', new VnmError('failed', 'CRIU has failed'));
    await expectEnd(killed, 'rollback');
    await world.testbed.end();
  });

  it('a node that dies while it restores has no daemon that counts', async () => {
    const world = await installed();
    const { dead } = world.testbed;
    const { result, world: after } = await run(world, 'migrate', undefined, 1, {
      onAnswer: (method) => {
        if (method === 'daemon_image_write') dead.add('n3');
      },
    });
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    dead.clear();
    // What was on it is found by its mark.
    const { daemons } = world.testbed.network.get(world.slice.nodes.get('n1')!.host!)!.state;
    expect([...daemons!.values()].map(({ state }) => state)).toEqual(['running']);
    expect(after).toBeDefined();
    await world.testbed.end();
  });

  it.each(['prove', 'move control plane'])(
    'a rollback at %s starts the daemon that a restarted node lost',
    async (at) => {
      const world = await installed();
      const { world: killed } = await run(world, 'migrate', at);
      const address = world.slice.nodes.get('n1')!.host!;
      world.testbed.network.get(address)!.state = emptyState(address);
      const { result, world: after } = await run(killed, 'rollback');
      expect(result).toMatchObject({ outcome: 'rolled-back' });
      await expectWhole(after, 'initial');
      await world.testbed.end();
    },
  );

  it('a daemon that is on neither node starts cold, and the result says so', async () => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', 'move control plane');
    for (const node of ['n1', 'n3']) {
      const host = world.testbed.network.get(world.slice.nodes.get(node)!.host!)!;
      host.state = { ...host.state, daemons: new Map() };
    }
    const { result, world: after } = await run(killed, 'resume');
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [{ router: 'a', way: 'restart', cold: true }, {}],
    });
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it('repairing a neighbour before it continues ends no daemon', async () => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', 'converge');
    const address = world.slice.nodes.get('n2')!.host!;
    world.testbed.network.get(address)!.state = emptyState(address);
    const states: string[] = [];
    const {
      phases,
      result,
      world: after,
    } = await run(killed, 'resume', undefined, 1, {
      onPhase: (phase) => {
        if (phase !== 'move control plane' || states.length > 0) return;
        const places = ['n1', 'n3'].map((node) => world.testbed.network.get(world.slice.nodes.get(node)!.host!)!);
        states.push(...places.map(({ state }) => `${state.daemons?.size ?? 0}`));
      },
    });
    expect(phases).toContain('repair the old side');
    expect(states).toEqual(['0', '1']);
    expect(result?.outcome).toBe('completed');
    await expectWhole(after, 'final');
    await world.testbed.end();
  });
});

describeDeaths(
  [{ after: 'daemon_dump' }, { after: 'daemon_restore' }, { after: 'daemon_settle' }],
  {
    resume: [{ after: 'daemon_dump' }, { after: 'daemon_restore' }, { after: 'daemon_settle' }],
    rollback: ['roll back', { after: 'daemon_dump' }, { after: 'daemon_restore' }, { after: 'daemon_settle' }],
  },
  [1],
);
