/**
 * Routers that are no neighbours move at the same time: a ring of six, under traffic and strict reverse-path checks;
 * planned beforehand, killed in the middle, and by a job.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { MovesPlan } from '../../src/controller/plan-moves.ts';
import type { MigrationDetailView } from '../../src/controller/views/migration.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { describeWithCriu } from '../support/programs.ts';

/** On the way to `final`, routers c and e swap their nodes, and b goes to the node that a has left. */
function sliceFile(directory: string): string {
  const path = join(directory, 'ring.yaml');
  const nodes = [...Array.from({ length: 9 }, (_, index) => `p${index + 1}`), 'ga', 'gc', 'ge', 'ha', 'hc', 'he'];
  const flows = ['ea', 'ec', 'ee'].flatMap((from, _, all) =>
    all.filter((to) => to !== from).map((to) => `    - { from: ${from}, to: ${to}, rate: 1Mbps }`),
  );
  writeFileSync(
    path,
    `slice: ring
vnet: 10.67.0.0/16
substrate:
  nodes: { ${nodes.map((node) => `${node}: {}`).join(', ')} }
  latency: { default: 3 }
vn:
  name: ring
  routers: [a, b, c, d, e, f]
  links: [[a, b], [b, c], [c, d], [d, e], [e, f], [f, a]]
  gateways: { g1: { node: ga, router: a }, g2: { node: gc, router: c }, g3: { node: ge, router: e } }
  endHosts: { ea: { node: ha, gateway: g1 }, ec: { node: hc, gateway: g2 }, ee: { node: he, gateway: g3 } }
  flows:
${flows.join('\n')}
placements:
  initial: { a: p1, b: p2, c: p3, d: p4, e: p5, f: p6 }
  final: { a: p7, b: p1, c: p5, d: p8, e: p3, f: p9 }
`,
  );
  return path;
}

const phases = ['set up', 'clone', 'prove', 'flip', 'verify', 'drain', 'retire'];

describeAsRoot('moving routers at the same time', () => {
  const own = ownTestbed(sliceFile);
  const live = () => own.vnm.ok('status ring --live');

  beforeAll(async () => {
    await own.vnm.ok(`install ${sliceFile(own.vnm.directory)} --urpf strict`);
  });

  it('plan says which routers move together, and that nothing is lost', async () => {
    const plan = await own.vnm.ok<MovesPlan>('plan ring --method vroom --to final --parallel 3');
    expect(plan.groups.map((group) => group.map(({ router }) => router))).toEqual([
      ['a', 'c', 'e'],
      ['b', 'd', 'f'],
    ]);
    expect(plan).toMatchObject({ checked: true, refusals: [] });
    expect(plan.flows.map(({ predictedLost }) => predictedLost)).toEqual([0, 0, 0, 0, 0, 0]);
    const { stdout } = await own.vnm.run('plan ring --method vroom --router a --to p2');
    expect(stdout).toContain('migrate would refuse this: a router cannot move to or from the node of its neighbour');
    await live();
  });

  it('the routers move three at a time under traffic, and nothing is lost or arrives twice', async () => {
    const result = await own.vnm.ok<MigrateResult>('migrate ring --method vroom --to final --parallel 3 --traffic');
    expect(result).toMatchObject({ outcome: 'completed', from: 'initial', to: 'final' });
    expect(result.phases.map(({ name }) => name)).toEqual(['add nodes', ...phases, ...phases]);
    const groups = [result.flips!.slice(0, 9), result.flips!.slice(9)];
    expect(groups.map((flips) => [...new Set(flips.map(({ router }) => router))].toSorted().join(' '))).toEqual([
      'a c e',
      'b d f',
    ]);
    for (const { sent, lost, duplicated } of result.flows) {
      expect(sent).toBeGreaterThan(0);
      expect({ lost, duplicated }).toEqual({ lost: 0, duplicated: 0 });
    }
    await live();
    const detail = await own.vnm.ok<MigrationDetailView>(`show ${result.id}`);
    expect(detail.flips).toEqual(result.flips);
    const { stdout } = await own.vnm.run(`show ${result.id}`);
    expect(stdout).toMatch(/when each link was flipped\nrouter +neighbour +sends to +at +took ms\n/);
  });

  it('a migration whose controller is killed among three flips is undone, and another one finished', async () => {
    for (const [command, placement] of [
      ['rollback ring', 'final'],
      ['resume ring', 'initial'],
    ] as const) {
      const running = own.vnm.start('migrate ring --method vroom --to initial --parallel 3');
      await running.said("moving router 'b' from node 'p1' to node 'p2', router 'd' from node 'p8'");
      await running.said('- flip\n');
      running.kill();
      await running.finished;
      await own.vnm.ok(command);
      await live();
      expect(await own.vnm.ok('status ring')).toMatchObject({ vns: [{ placement }] });
    }
  });

  it('a job moves one router between two nodes in turn', async () => {
    const options = '--router a --to p7,p1 --method vroom --parallel 2';
    await own.vnm.ok(`job add leave --slice ring ${options}`, '--cron', '0 3 * * 1');
    for (const node of ['p7', 'p1']) {
      const result = await own.vnm.ok<MigrateResult>('job run leave');
      expect(result).toMatchObject({ outcome: 'completed', method: 'vroom' });
      expect(result.moves.find(({ router }) => router === 'a')).toMatchObject({ to: node });
    }
    const { runs } = await own.vnm.ok<{ runs: object[] }>('job history leave');
    expect(runs).toMatchObject([{ placement: 'p1', outcome: 'completed' }, { placement: 'p7' }]);
    await live();
  });

  it.each([
    ['--to final --parallel 2', 'method instance moves all routers together, so it has no --parallel'],
    [
      '--method vroom --to final --parallel 0',
      "option '--parallel <n>' argument '0' is invalid. Give a whole number from 1 to 1000.",
    ],
  ])('migrate %s is refused', async (words, message) => {
    const { code, json } = await own.vnm.json<{ error: { message: string } }>(`migrate ring ${words}`);
    expect({ code, message: json.error.message }).toEqual({ code: 2, message });
  });
});

/** A ring of four routers with OSPF (hello 1 s, dead 4 s), of which two are no neighbours. */
function livingFile(directory: string): string {
  const path = join(directory, 'living-ring.yaml');
  const nodes = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'gb', 'gd', 'hb', 'hd'];
  writeFileSync(
    path,
    `slice: livring
vnet: 10.68.0.0/16
substrate:
  nodes: { ${nodes.map((node) => `${node}: {}`).join(', ')} }
  latency: { default: 3 }
vn:
  name: livring
  routers: [${['a', 'b', 'c', 'd'].map((name) => `{ name: ${name}, kind: bird }`).join(', ')}]
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10], [b, c, 10], [c, d, 10], [d, a, 10]]
  gateways: { g1: { node: gb, router: b }, g2: { node: gd, router: d } }
  endHosts: { eb: { node: hb, gateway: g1 }, ed: { node: hd, gateway: g2 } }
  flows: [{ from: eb, to: ed, rate: 1Mbps }, { from: ed, to: eb, rate: 1Mbps }]
placements:
  initial: { a: p1, b: p2, c: p3, d: p4 }
  final: { a: p5, b: p2, c: p6, d: p4 }
`,
  );
  return path;
}

function movesOfDaemons(way: 'checkpoint' | 'graceful'): void {
  const own = ownTestbed(livingFile);

  it('the daemons move one after the other, and nothing is lost', async () => {
    await own.vnm.ok(`install ${livingFile(own.vnm.directory)} --urpf strict`);
    const options = `--method vroom --control-plane ${way} --to final --parallel 2 --traffic`;
    const result = await own.vnm.ok<MigrateResult>(`migrate livring ${options}`);
    expect(result).toMatchObject({ outcome: 'completed', to: 'final' });
    expect(result.controlPlanes).toMatchObject([
      { router: 'a', to: 'p5', way },
      { router: 'c', to: 'p6', way },
    ]);
    expect(result.phases.filter(({ name }) => name === 'set up')).toHaveLength(1);
    expect(result.flows.map(({ lost, duplicated }) => ({ lost, duplicated }))).toEqual([
      { lost: 0, duplicated: 0 },
      { lost: 0, duplicated: 0 },
    ]);
    if (way === 'checkpoint') expect(result.neighbourEvents!.map(({ events }) => events)).toEqual([0, 0, 0, 0]);
    await own.vnm.ok('status livring --live');
  });
}

describeAsRoot('daemons of two routers that move by graceful', () => movesOfDaemons('graceful'));
describeWithCriu('daemons of two routers that move by checkpoint', () => movesOfDaemons('checkpoint'));
