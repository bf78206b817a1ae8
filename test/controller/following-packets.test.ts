/** OSPF packets of routers that move, over nodes in memory: what the nodes do with them while a daemon moves. */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { VnmError } from '../../src/model/errors.ts';
import { killedWorlds, type World } from '../support/killed-world.ts';
import { twoLivingRouters } from '../support/two-living-routers.ts';

const options = { ...usualOptions, method: 'vroom', to: 'final' } as const;
const { installed, run, expectWhole, remove } = killedWorlds(twoLivingRouters, options);
afterAll(remove);

/** What the place of router `a` on a node does. */
function controlOn({ slice, testbed }: World, node: string): string {
  const { stacks } = testbed.network.get(slice.nodes.get(node)!.host!)!.state;
  const [, stack] = [...stacks].find(([namespace]) => namespace.endsWith('-a')) ?? [];
  const gate = [...(stack?.links.values() ?? [])].find(({ kind }) => kind === 'ifb')?.gate;
  const { sendTo, gated } = stack?.control ?? {};
  const holds = gated ? [gate?.closed ? 'holds' : 'lets out'] : [];
  return [...(sendTo === undefined ? [] : [`to ${sendTo}`]), ...holds].join(', ') || 'nothing';
}

/** Runs a migration; returns what router a's places do at the beginning of these phases of it. */
async function seen(world: World, change: Parameters<typeof run>[4] & object) {
  const places: Record<string, string[]> = {};
  const ran = await run(world, 'migrate', undefined, 1, {
    ...change,
    onPhase: (phase, count) => {
      if (count > 1) return;
      places[phase] = ['n1', 'n3'].map((node) => controlOn(world, node));
    },
  });
  return { ...ran, places };
}

const n3 = '192.0.2.3';

describe.concurrent('OSPF packets of a router that moves', () => {
  it.each(['checkpoint', 'restart'] as const)('they follow a daemon that moves by %s', async (controlPlane) => {
    const world = await installed();
    const { places, result, world: after } = await seen(world, { change: { controlPlane } });
    expect(places).toMatchObject({
      'move control plane': ['nothing', 'nothing'],
      flip: [`to ${n3}`, 'nothing'],
      drain: [`to ${n3}`, 'nothing'],
    });
    expect(result?.controlPlanes?.map(({ packets }) => packets)).toEqual([{ sentOn: 0 }, { sentOn: 0 }]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it.each([
    ['checkpoint', 'lets out'],
    ['graceful', 'holds'],
    ['restart', 'holds'],
  ] as const)('with --hold-control they wait until a daemon that moves by %s runs', async (controlPlane, atFlip) => {
    const world = await installed();
    const { places, result, world: after } = await seen(world, { change: { controlPlane, holdControl: true } });
    expect(places).toMatchObject({
      'move control plane': ['nothing', 'nothing'],
      flip: [`to ${n3}`, atFlip],
      converge: [`to ${n3}`, 'lets out'],
      drain: [`to ${n3}`, 'lets out'],
    });
    const packets = { sentOn: 0, held: 0, dropped: 0 };
    expect(result?.controlPlanes?.map((one) => one.packets)).toEqual([packets, packets]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it('nothing of that is left after a move that failed', async () => {
    const world = await installed();
    world.testbed.faults.set('daemon_restore', new VnmError('failed', 'CRIU has failed'));
    const change = { controlPlane: 'checkpoint', holdControl: true } as const;
    const { places, result, world: after } = await seen(world, { change });
    expect(result?.outcome).toBe('rolled-back');
    expect(places['remove the new place']?.[0]).toBe('nothing');
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });

  it('a node that cannot do it has daemons move without it, but not with --hold-control', async () => {
    const world = await installed();
    world.testbed.lacking.add('control-packets');
    await expect(run(world, 'migrate', undefined, 1, { change: { holdControl: true } })).rejects.toMatchObject({
      code: 'unsupported',
      message: "--hold-control is not possible: node 'n1': its agent cannot copy or hold OSPF packets",
    });
    const { places, result, world: after } = await seen(world, {});
    expect(places.flip).toEqual(['nothing', 'nothing']);
    expect(result?.outcome).toBe('completed');
    expect(result?.controlPlanes?.map(({ packets }) => packets)).toEqual([undefined, undefined]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it('--hold-control is refused with method instance', async () => {
    const world = await installed();
    const change = { method: 'instance', holdControl: true } as const;
    await expect(run(world, 'migrate', undefined, 1, { change })).rejects.toMatchObject({
      code: 'usage',
      message: 'method instance moves no routing daemon, so it has no --hold-control',
      hint: 'leave that out, or use --method vroom',
    });
    await world.testbed.end();
  });
});

const staticRouters = killedWorlds(
  twoLivingRouters.replace(/^.*routing:.*\n/m, '').replaceAll('bird', 'static'),
  options,
);
afterAll(staticRouters.remove);

it('--hold-control is refused where no router that moves speaks OSPF', async () => {
  const world = await staticRouters.installed();
  const change = { holdControl: true };
  await expect(staticRouters.run(world, 'migrate', undefined, 1, { change })).rejects.toMatchObject({
    code: 'usage',
    message: '--hold-control has nothing to hold: no router that moves speaks OSPF',
  });
  await world.testbed.end();
});
