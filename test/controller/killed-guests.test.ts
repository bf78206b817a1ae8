/**
 * Routers that are virtual machines and move with their memory (methods `clone` and `live`), over nodes in memory:
 * killed in each phase and after each request that concerns a guest, and then resumed or rolled back, there is one
 * guest, wholly at the new or wholly at the old place.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { VnmError } from '../../src/model/errors.ts';
import { killedWorlds } from '../support/killed-world.ts';

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-killed-guests-'));
const image = join(directory, 'image');
writeFileSync(image, 'x');
afterAll(() => rmSync(directory, { recursive: true }));

const nodes = ['n1', 'n2', 'n3', 'gw1', 'gw2', 'h1', 'h2'];
const text = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [a, { name: r, kind: image, image: ${image} }]
  links: [[a, r]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: r } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1, r: n2 }, final: { a: n1, r: n3 } }
`;

describe.each([
  ['clone', { method: 'clone' }],
  ['clone --suspend', { method: 'clone', suspend: true }],
  ['live', { method: 'live' }],
] as const)('method %s', (name, how) => {
  const { installed, run, expectWhole, describeDeaths, remove } = killedWorlds(text, {
    ...usualOptions,
    ...how,
    to: 'final',
  });
  afterAll(remove);
  const phases = ['set up', 'prove', 'copy guest', 'restore guest', 'flip', 'verify', 'drain', 'retire'];
  const requests = ['machine_copy', 'machine_copy_read', 'machine_copy_write', 'machine_go_on'] as const;

  it('moves the guest', async () => {
    const world = await installed();
    const { phases: seen, result, world: after } = await run(world, 'migrate');
    expect(result?.error).toBeUndefined();
    expect(result).toMatchObject({ outcome: 'completed', guests: [{ router: 'r', from: 'n2', to: 'n3' }] });
    expect(seen).toEqual(['add nodes', ...phases]);
    await expectWhole(after, 'final');
    await world.testbed.end();
  });

  it('leaves the old guest as it was when the copy fails', async () => {
    const world = await installed();
    world.testbed.faults.set('machine_copy_write', new VnmError('failed', 'no room'));
    const { result, world: after } = await run(world, 'migrate');
    expect(result).toMatchObject({ outcome: 'rolled-back', error: 'no room' });
    world.testbed.faults.clear();
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });

  it('goes back to the old guest when the new one cannot go on', async () => {
    const world = await installed();
    const { result, world: after } = await run(world, 'migrate', undefined, 1, {
      onPhase: (phase) => {
        if (phase === 'flip') world.testbed.dead.add('n3');
        if (phase === 'roll back') world.testbed.dead.delete('n3');
      },
    });
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    await expectWhole(after, 'initial');
    await world.testbed.end();
  });

  // The others differ from `clone` only around the copy.
  const around = name === 'clone' ? phases.filter((phase) => phase !== 'retire') : ['restore guest', 'flip'];
  const deaths = [...around, ...requests.map((after) => ({ after }))];
  const again = { resume: ['copy guest', 'flip', 'retire'], rollback: ['roll back', 'remove the new place'] };
  describeDeaths(deaths, again, [1]);

  it('only finishes what is being retired', async () => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', 'retire');
    const { result, world: after } = await run(killed, 'resume');
    expect(result).toMatchObject({ outcome: 'completed' });
    await expectWhole(after, 'final');
    await world.testbed.end();
  });
});
