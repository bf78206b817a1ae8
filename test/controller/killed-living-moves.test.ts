/**
 * Routers with routing daemons that move one after the other, over nodes in memory: killed in each phase of each
 * router, and then resumed or rolled back, every router has one living daemon, at the place where the router is.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
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
  routers: [{ name: a, kind: bird }, { name: b, kind: bird }]
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: b } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
placements: { initial: { a: n1, b: n2 }, final: { a: n3, b: n4 } }
`;
const phases = ['set up', 'clone', 'prove', 'move control plane', 'flip', 'converge', 'verify', 'drain', 'retire'];
/** Where the recovering command is killed too. */
const again = {
  resume: ['clone', 'move control plane', 'flip', 'retire'],
  rollback: ['roll back', 'remove the new place', 'move control plane', 'flip'],
};

describe.each(['graceful', 'restart'] as const)('routers whose daemons move by %s', (controlPlane) => {
  const options = { ...usualOptions, method: 'vroom', to: 'final', controlPlane } as const;
  const { installed, run, expectWhole, describeDeaths, remove } = killedWorlds(text, options);
  afterAll(remove);

  it('an undisturbed migration moves one daemon after the other', async () => {
    const world = await installed();
    const { phases: seen, result, world: after } = await run(world, 'migrate');
    const cold = controlPlane === 'restart';
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', from: 'n1', to: 'n3', way: controlPlane, cold },
        { router: 'b', from: 'n2', to: 'n4', way: controlPlane, cold },
      ],
      neighbourEvents: [
        { router: 'a', neighbour: 'b', events: 0 },
        { router: 'b', neighbour: 'a', events: 0 },
      ],
    });
    expect(seen).toEqual(['add nodes', ...phases, ...phases]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  describeDeaths(phases, again);
});
