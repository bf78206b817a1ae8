/**
 * The real orchestrators over nodes in memory. A controller is killed at the beginning of each phase. Another one
 * resumes or rolls back, and is itself killed in each of its phases. A third ends the migration: then everything is old
 * or everything is new, and the nodes have nothing else.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { killedWorlds, type World } from '../support/killed-world.ts';

const nodes = ['n1', 'n2', 'gw1', 'gw2', 'h1', 'h2'];
const text = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [a]
  links: []
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: a } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1 }, final: { a: n2 } }
`;

const { installed, run, expectWhole, remove } = killedWorlds(text, { ...usualOptions, to: 'final' });
afterAll(remove);

it('an undisturbed migration goes through its phases and completes', async () => {
  const world = await installed();
  const { phases, result, world: after } = await run(world, 'migrate');
  expect(result?.outcome).toBe('completed');
  expect(phases).toEqual([
    'add nodes',
    'set up',
    'clone',
    'join gateways',
    'prove',
    'measure',
    'redirect',
    'verify',
    'drain',
    'retire',
  ]);
  await expectWhole(after, 'final');
  await world.testbed.end();
});

const phases = ['set up', 'clone', 'join gateways', 'prove', 'measure', 'redirect', 'verify', 'drain', 'retire'];
/** The phases in which the recovering command is killed too: before, during and after the redirection. */
const again = { resume: ['prove', 'redirect', 'retire'], rollback: ['roll back', 'remove the new instance'] };

describe.concurrent.each(phases)("a migration killed in '%s'", (phase) => {
  it.each(['resume', 'rollback'] as const)('%s ends the migration', async (command) => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', phase);
    await expectEnd(killed, command, phase);
    await world.testbed.end();
  });

  it.each(['resume', 'rollback'] as const)(
    '%s ends the migration, however often that command is killed',
    async (command) => {
      const world = await installed();
      let { world: now } = await run(world, 'migrate', phase);
      if (command === 'resume' || phase !== 'retire') {
        for (const next of again[command]) {
          const { world: after, result } = await run(now, command, next);
          now = after;
          if (result !== undefined) break;
        }
      }
      await expectEnd(now, command, phase);
      await world.testbed.end();
    },
  );
});

async function expectEnd(world: World, command: 'resume' | 'rollback', phase: string): Promise<void> {
  if (command === 'rollback' && phase === 'retire') {
    await expect(run(world, command)).rejects.toMatchObject({ code: 'conflict' });
    return;
  }
  const { result, world: after } = await run(world, command);
  expect(result?.outcome).toMatch(command === 'resume' ? /^(completed|unchanged)$/ : /^(rolled-back|unchanged)$/);
  await expectWhole(after, command === 'resume' ? 'final' : 'initial');
}
