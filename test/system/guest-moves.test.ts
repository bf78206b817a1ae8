/** Real guests move with their memory under traffic (methods `clone` and `live`), and their neighbours by OSPF stay. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { lackForRouterImage, routerImage } from '../support/router-image.ts';

const text = `slice: guests
vnet: 10.66.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, p4: {}, h1: {}, h2: {} }
vn:
  name: v
  routers:
    - { name: a, kind: bird }
    - { name: r, kind: image, image: router.tar, memory: 96M }
    - { name: b, kind: bird }
  routing: { protocol: ospf }
  links: [[a, r], [r, b]]
  gateways: { g1: { node: p1, router: a }, g2: { node: p3, router: b } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows:
    - { from: e1, to: e2, rate: 1.6Mbps, payload: 1000 }
    - { from: e2, to: e1, rate: 1.6Mbps, payload: 1000 }
placements:
  initial: { a: p1, r: p2, b: p3 }
  final: { a: p1, r: p4, b: p3 }
`;

describeAsRootUnless(lackForRouterImage(), 'guests that move with their memory', () => {
  const own = ownTestbed((directory) => {
    copyFileSync(routerImage(), join(directory, 'router.tar'));
    const file = join(directory, 'guests.yaml');
    writeFileSync(file, text);
    return file;
  });
  const move = (how: string, to: string) =>
    own.vnm.ok<MigrateResult>(`migrate guests --method ${how} --router r --to ${to} --traffic`);
  const eventsOf = ({ neighbourEvents = [] }: MigrateResult) =>
    neighbourEvents.map(({ neighbour, events }) => `${neighbour} ${events}`);

  beforeAll(async () => {
    await own.vnm.ok(`install ${join(own.vnm.directory, 'guests.yaml')}`);
  });

  // Where a busy machine takes long to copy a guest by QEMU's translator, the copy may not forward, and the move is
  // undone (docs/operations.md).
  it('a clone loses nothing, its neighbours notice nothing, and it knows what the original knew', {
    retry: 2,
  }, async () => {
    await own.vnm.ok('exec guests r -- touch /tmp/mark');
    const result = await move('clone', 'p4');
    expect(result).toMatchObject({ outcome: 'completed', guests: [{ router: 'r', way: 'clone', memoryMib: 96 }] });
    expect(result.flows.map(({ lost, duplicated }) => ({ lost, duplicated }))).toEqual([
      { lost: 0, duplicated: 0 },
      { lost: 0, duplicated: 0 },
    ]);
    expect(eventsOf(result)).toEqual(['a 0', 'b 0']);
    await own.vnm.ok('exec guests r -- ls /tmp/mark');
    await own.vnm.ok('status guests --live');
  });

  it('one that is suspended loses what its freeze predicts, and its neighbours notice nothing', async () => {
    const result = await move('clone --suspend', 'p2');
    expect(result).toMatchObject({ outcome: 'completed', guests: [{ way: 'suspend' }] });
    for (const { lost, predictedLost } of result.flows) {
      expect(lost).toBeGreaterThan(0);
      // Flips and the first packets of the new guest are not part of the freeze; a busy machine is slow with both.
      expect(lost).toBeGreaterThan(0.5 * predictedLost!);
    }
    expect(eventsOf(result)).toEqual(['a 0', 'b 0']);
    await own.vnm.ok('status guests --live');
  });

  it('a virtual machine does not move by a method that copies routes, and live does not suspend', async () => {
    expect(await own.vnm.json('migrate guests --method vroom --router r --to p4')).toMatchObject({
      code: 1,
      json: { error: { code: 'unsupported', hint: 'use --method clone, live or instance' } },
    });
    expect(await own.vnm.json('migrate guests --method live --suspend --router r --to p4')).toMatchObject({ code: 2 });
  });
});
