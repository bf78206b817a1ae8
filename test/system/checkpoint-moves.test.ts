/**
 * Routers with BIRD move by checkpoints: three routers in a ring with OSPF (hello 1 s, dead 4 s), under traffic and
 * strict reverse-path checks. A cold restart next to it shows that events of neighbours are counted.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { ip, namespacesOf, routes } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithCriu } from '../support/programs.ts';

const text = `slice: carry
vnet: 10.67.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, p4: {}, p5: {}, ga: {}, gb: {}, ha: {}, hb: {} }
  latency: { default: 5 }
vn:
  name: carry
  routers:
    - { name: a, kind: bird }
    - { name: b, kind: bird }
    - { name: c, kind: bird }
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10], [b, c, 10], [a, c, 10]]
  gateways: { g1: { node: ga, router: a }, g2: { node: gb, router: b } }
  endHosts: { ea: { node: ha, gateway: g1 }, eb: { node: hb, gateway: g2 } }
  flows:
    - { from: ea, to: eb, rate: 3Mbps, payload: 200 }
    - { from: eb, to: ea, rate: 3Mbps, payload: 200 }
placements:
  initial: { a: p1, b: p2, c: p3 }
  final: { a: p4, b: p5, c: p3 }
`;

const noLoss = [
  { lost: 0, duplicated: 0 },
  { lost: 0, duplicated: 0 },
];
const lossOf = ({ flows }: MigrateResult) => flows.map(({ lost, duplicated }) => ({ lost, duplicated }));
const eventsOf = ({ neighbourEvents = [] }: MigrateResult) =>
  neighbourEvents.map(({ router, neighbour, events }) => `${router} at ${neighbour}: ${events}`);

describeWithCriu('routers whose daemons move by checkpoints', () => {
  let file = '';
  const own = ownTestbed((directory) => {
    file = join(directory, 'carry.yaml');
    writeFileSync(file, text);
    return file;
  });
  const live = () => own.vnm.ok('status carry --live');
  const placesOf = (router: string) =>
    namespacesOf(own.testbed).filter((name) => new RegExp(`carry_\\d+-${router}$`).test(name));
  const waysOf = (namespace: string) =>
    routes(namespace)
      .map(({ dst, gateway, dev }) => `${dst} ${gateway} ${dev}`)
      .sort();
  /** All BIRDs of a router, on whatever node; `T` behind one that is stopped. */
  const birdsOf = (router: string) =>
    placesOf(router).flatMap((namespace) =>
      execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
        .split('\n')
        .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'bird')
        .map((pid) => `${pid}${/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? ' T' : ''}`),
    );
  const alive = [expect.stringMatching(/^\d+$/)];

  beforeAll(async () => {
    await own.vnm.ok(`install ${file} --urpf strict`);
  });

  it('doctor says which nodes can do it', async () => {
    const { nodes } = await own.vnm.ok<DoctorResult>('doctor carry');
    const ways = nodes.flatMap(({ node, controlPlanes = [] }) =>
      controlPlanes.filter(({ kind }) => kind === 'bird').map((one) => ({ node, ways: one.ways })),
    );
    expect(ways.filter(({ node }) => node.startsWith('p'))).toEqual(
      ['p1', 'p2', 'p3', 'p4', 'p5'].map((node) => ({ node, ways: ['checkpoint', 'graceful', 'restart'] })),
    );
  });

  it('a router moves with a route that was added by hand, nothing is lost, and no neighbour notices', async () => {
    const [place] = placesOf('a');
    const { gateway, dev } = routes(place!).find((route) => route.gateway !== undefined)!;
    ip(place!, `route add 10.67.77.0/24 via ${gateway} dev ${dev}`);
    const before = { ways: waysOf(place!), birds: birdsOf('a') };
    const result = await own.vnm.ok<MigrateResult>('migrate carry --method vroom --router a --to p4 --traffic');
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [{ router: 'a', from: 'p1', to: 'p4', way: 'checkpoint', cold: false }],
    });
    expect(result.controlPlanes![0]!.checkpoint!.bytes).toBeGreaterThan(1000);
    expect(lossOf(result)).toEqual(noLoss);
    expect(eventsOf(result)).toEqual(['a at b: 0', 'a at c: 0']);
    const [now, ...others] = placesOf('a');
    expect(others).toEqual([]);
    expect(waysOf(now!)).toEqual(before.ways);
    expect(birdsOf('a')).toEqual(alive);
    expect(birdsOf('a')).not.toEqual(before.birds);
    ip(now!, 'route del 10.67.77.0/24');
    await live();
  });

  it('a cold restart back is seen by the same neighbours', async () => {
    const result = await own.vnm.ok<MigrateResult>(
      'migrate carry --method vroom --router a --to p1 --control-plane restart --traffic',
    );
    expect(result).toMatchObject({ outcome: 'completed', controlPlanes: [{ way: 'restart', cold: true }] });
    const { neighbourEvents = [] } = result;
    expect(neighbourEvents.map(({ neighbour }) => neighbour)).toEqual(['b', 'c']);
    for (const { events } of neighbourEvents) expect(events).toBeGreaterThan(0);
    await live();
  });

  it('all routers move one after the other, nothing is lost, and no neighbour notices', async () => {
    const result = await own.vnm.ok<MigrateResult>(
      'migrate carry --method vroom --to final --control-plane checkpoint --traffic',
    );
    expect(result).toMatchObject({
      outcome: 'completed',
      controlPlanes: [
        { router: 'a', way: 'checkpoint' },
        { router: 'b', way: 'checkpoint' },
      ],
    });
    expect(lossOf(result)).toEqual(noLoss);
    expect(eventsOf(result)).toEqual(['a at b: 0', 'a at c: 0', 'b at a: 0', 'b at c: 0']);
    await live();
  });

  it.each(['rollback', 'resume'])('after a controller was killed, %s leaves one living daemon', async (command) => {
    const running = own.vnm.start('migrate carry --method vroom --router c --to p1');
    await running.said('- move control plane\n');
    // Wherever it is then: the points one by one are in test/controller/killed-checkpoints.test.ts.
    await sleep(300);
    running.kill();
    await running.finished;
    await own.vnm.ok(`${command} carry`);
    expect(birdsOf('c')).toEqual(alive);
    expect(placesOf('c')).toEqual([expect.stringMatching(command === 'rollback' ? /-p3\./ : /-p1\./)]);
    await live();
  });
});
