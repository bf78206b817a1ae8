/**
 * Routers with routing daemons move one by one: three routers in a ring with OSPF (hello 1 s, dead 4 s), under traffic
 * and strict reverse-path checks.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { namespacesOf, routes } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';

/** A ring of routers a, b and c, with gateways at a and b. */
function sliceFile(directory: string, name: string, kinds: readonly string[]): string {
  const routers = ['a', 'b', 'c'].map((router, index) => `    - { name: ${router}, kind: ${kinds[index]} }`);
  const path = join(directory, `${name}.yaml`);
  writeFileSync(
    path,
    `slice: ${name}
vnet: 10.66.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, p4: {}, p5: {}, ga: {}, gb: {}, ha: {}, hb: {} }
  latency: { default: 5 }
vn:
  name: ${name}
  routers:
${routers.join('\n')}
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10], [b, c, 10], [a, c, 10]]
  gateways: { g1: { node: ga, router: a }, g2: { node: gb, router: b } }
  endHosts: { ea: { node: ha, gateway: g1 }, eb: { node: hb, gateway: g2 } }
  flows:
    - { from: ea, to: eb, rate: 1.5Mbps }
    - { from: eb, to: ea, rate: 1.5Mbps }
placements:
  initial: { a: p1, b: p2, c: p3 }
  final: { a: p4, b: p5, c: p3 }
`,
  );
  return path;
}

const noLoss = [
  { lost: 0, duplicated: 0 },
  { lost: 0, duplicated: 0 },
];
const lossOf = ({ flows }: MigrateResult) => flows.map(({ lost, duplicated }) => ({ lost, duplicated }));
const waysOf = (namespace: string) =>
  routes(namespace)
    .map(({ dst, gateway, dev }) => `${dst} ${gateway} ${dev}`)
    .sort();
const eventsOf = ({ neighbourEvents = [] }: MigrateResult) => neighbourEvents;

for (const [slice, ...kinds] of [
  ['lifeb', 'bird', 'bird', 'bird'],
  ['lifef', 'frr', 'bird', 'frr'],
] as const) {
  describeAsRoot(`moving routers of kinds ${kinds.join(', ')}`, () => moves(slice, kinds));
}

function moves(slice: string, kinds: readonly string[]): void {
  let file = '';
  const own = ownTestbed((directory) => {
    file = sliceFile(directory, slice, kinds);
    return file;
  });
  const live = () => own.vnm.ok(`status ${slice} --live`);
  const placesOf = (router: string) =>
    namespacesOf(own.testbed).filter((name) => new RegExp(`${slice}_\\d+-${router}$`).test(name));

  beforeAll(async () => {
    await own.vnm.ok(`install ${file} --urpf strict`);
  });

  it('a graceful move loses nothing, and the daemon has its neighbours and routes again', async () => {
    const before = waysOf(placesOf('a')[0]!);
    const result = await own.vnm.ok<MigrateResult>(
      `migrate ${slice} --method vroom --router a --to p4 --control-plane graceful --traffic`,
    );
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [{ router: 'a', from: 'p1', to: 'p4', way: 'graceful', cold: false }],
    });
    expect(lossOf(result)).toEqual(noLoss);
    expect(eventsOf(result).map(({ neighbour }) => neighbour)).toEqual(['b', 'c']);
    const [place, ...others] = placesOf('a');
    expect(others).toEqual([]);
    expect(waysOf(place!)).toEqual(before);
    await live();
  });

  it('a cold restart is seen by the neighbours, and is marked as cold', async () => {
    const result = await own.vnm.ok<MigrateResult>(
      `migrate ${slice} --method vroom --router a --to p1 --control-plane restart --traffic`,
    );
    expect(result).toMatchObject({ outcome: 'completed', controlPlanes: [{ way: 'restart', cold: true }] });
    const events = eventsOf(result);
    expect(events.map(({ neighbour }) => neighbour)).toEqual(['b', 'c']);
    for (const one of events) expect(one.events).toBeGreaterThan(0);
    await live();
  });

  it('all routers move gracefully, one after the other, and nothing is lost', async () => {
    const result = await own.vnm.ok<MigrateResult>(
      `migrate ${slice} --method vroom --to final --control-plane graceful --traffic`,
    );
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', way: 'graceful' },
        { router: 'b', way: 'graceful' },
      ],
    });
    expect(lossOf(result)).toEqual(noLoss);
    await live();
  });
}
