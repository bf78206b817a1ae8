/**
 * Routers that move at the same time (method `vroom` with `parallel`), over nodes in memory: whenever the controller is
 * killed, `resume` and `rollback` find every router that is on two nodes, and the VN is then wholly on its new or
 * wholly on its old placement.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { killedWorlds } from '../support/killed-world.ts';
import { emptyState } from '../support/memory-plane/plane.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5', 'gw1', 'gw2', 'h1', 'h2'];
/** Router a moves to the node that c leaves; b, the neighbour of both, moves after them. */
const textWith = (routers: string) => `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  ${routers}
  links: [[a, b, 10], [b, c, 10]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: c } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1, b: n2, c: n3 }, final: { a: n3, b: n4, c: n5 } }
`;
const options = { ...usualOptions, method: 'vroom', to: 'final', parallel: 2 } as const;
/** Where the recovering command is killed too. */
const again = { resume: ['clone', 'flip', 'retire'], rollback: ['roll back', 'remove the new place', 'flip'] };
const commands = ['resume', 'rollback'] as const;

describe.concurrent('two static routers at the same time', () => {
  const text = textWith('routers: [a, b, c]');
  const { installed, run, expectWhole, expectEnd, describeDeaths, remove } = killedWorlds(text, options);
  afterAll(remove);
  const phases = ['set up', 'clone', 'prove', 'flip', 'verify', 'drain', 'retire'];

  it('an undisturbed migration moves two routers in the phases of one, and then their neighbour', async () => {
    const world = await installed();
    const { phases: seen, result, world: after } = await run(world, 'migrate');
    expect(result).toMatchObject({ outcome: 'completed', fromRecord: [] });
    expect(seen).toEqual(['add nodes', ...phases, ...phases]);
    const flips = result!.flips!.map(({ router, neighbour, to }) => `${router} on ${to}: ${neighbour}`);
    expect(flips.slice(0, 4).toSorted()).toEqual(['a on n3: b', 'a on n3: g1', 'c on n5: b', 'c on n5: g2']);
    expect(flips.slice(4)).toEqual(['b on n4: a', 'b on n4: c']);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  describeDeaths(['flip', 'retire'], again);

  let counted: Promise<number> | undefined;
  /** How many requests a whole migration makes. */
  const requests = () => {
    counted ??= (async () => {
      const world = await installed();
      const { requests: count } = await run(world, 'migrate');
      await world.testbed.end();
      return count;
    })();
    return counted;
  };
  const parts = [0, 1, 2, 3, 4, 5];
  describe.each(parts)('a migration killed at a request in part %i of 6', (part) => {
    it.each(commands)('%s ends the migration', async (command) => {
      const killedAt = Math.floor(((part + 0.5) * (await requests())) / parts.length);
      const world = await installed();
      const { result, world: killed } = await run(world, 'migrate', { after: 'any' }, killedAt);
      expect(result).toBeUndefined();
      await expectEnd(killed, command);
      await world.testbed.end();
    });
  });

  it.each(commands)('%s finishes the move of one router where the other has already ended', async (command) => {
    const world = await installed();
    const { result, world: killed } = await run(world, 'migrate', { recorded: 'endMove' });
    expect(result).toBeUndefined();
    await expectEnd(killed, command);
    await world.testbed.end();
  });

  it.each(commands)('%s continues a rollback that has undone one of two moves', async (command) => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', 'flip');
    const { result, world: turned } = await run(killed, 'rollback', { recorded: 'cancelMove' });
    expect(result).toBeUndefined();
    await expectEnd(turned, command);
    await world.testbed.end();
  });

  it('a router that cannot move takes those of its group back with it', async () => {
    const world = await installed();
    const { dead } = world.testbed;
    const { result, world: after } = await run(world, 'migrate', undefined, 1, {
      onPhase: (phase) => {
        if (phase === 'clone') dead.add('n5');
        else if (phase === 'remove the new place') dead.clear();
      },
    });
    expect(result).toMatchObject({ outcome: 'rolled-back', error: expect.stringContaining("node 'n5'"), flips: [] });
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });

  it('a group whose links have flipped goes back, and so does the one before it', async () => {
    const world = await installed();
    const { result, world: after } = await run(world, 'migrate', undefined, 1, {
      onPhase: (phase, count) => {
        const address = world.slice.nodes.get('n4')!.host!;
        if (phase === 'verify' && count === 2) world.testbed.network.get(address)!.state = emptyState(address);
      },
    });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      error: "after the links of router 'b' were flipped, no packet arrived from e1 to e2, e2 to e1",
    });
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });
});

describe.concurrent.each(['checkpoint', 'graceful'] as const)(
  'two routers whose daemons move by %s',
  (controlPlane) => {
    const kinds = ['a', 'b', 'c'].map((name) => `{ name: ${name}, kind: bird }`).join(', ');
    const text = textWith(`routers: [${kinds}]\n  routing: { protocol: ospf, hello: 1, dead: 4 }`);
    const { installed, run, expectWhole, expectEnd, remove } = killedWorlds(text, {
      ...options,
      controlPlane,
    });
    afterAll(remove);

    it('their daemons move one after the other', async () => {
      const world = await installed();
      const { phases: seen, result, world: after } = await run(world, 'migrate');
      expect(result?.controlPlanes?.map(({ router, to }) => `${router} to ${to}`)).toEqual([
        'a to n3',
        'c to n5',
        'b to n4',
      ]);
      const moving = ['move control plane', 'flip', 'converge'];
      const [first, last] = [
        ['set up', 'clone', 'prove'],
        ['verify', 'drain', 'retire'],
      ];
      expect(seen).toEqual(['add nodes', ...first, ...moving, ...moving, ...last, ...first, ...moving, ...last]);
      await expectWhole(after, 'final');
      await world.testbed.end();
    });

    it.each(commands)('%s ends a migration that was killed between the two daemons', async (command) => {
      const world = await installed();
      const { world: killed } = await run(world, 'migrate', 'move control plane', 2);
      await expectEnd(killed, command);
      await world.testbed.end();
    });

    it('a failure after one of two daemons has moved brings both back', async () => {
      const world = await installed();
      const { dead } = world.testbed;
      const { result, world: after } = await run(world, 'migrate', undefined, 1, {
        onPhase: (phase, count) => {
          if (phase === 'move control plane' && count === 2) dead.add('n5');
          else if (phase === 'roll back') dead.clear();
        },
      });
      expect(result?.outcome).toBe('rolled-back');
      await expectWhole(after, 'initial');
      await world.testbed.end();
    });
  },
);
