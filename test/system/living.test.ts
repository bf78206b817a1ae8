/**
 * A VN of routers with routing daemons, BIRD and FRR as neighbours, migrates whole: nothing is lost, and the daemons of
 * the old instance notice nothing.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import type { LiveStatus } from '../../src/controller/live.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { ip, namespacesOf, processesNaming, routes } from '../support/kernel.ts';
import { lackOfDaemons } from '../support/living-routers.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRootUnless } from '../support/privileges.ts';

const text = `slice: living
vnet: 10.66.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, p4: {}, p5: {}, g1: {}, g2: {}, h1: {}, h2: {} }
vn:
  name: vn
  routing: { protocol: ospf, hello: 1, dead: 4 }
  routers:
    - { name: a, kind: bird, config: own.conf }
    - { name: b, kind: frr }
    - { name: c, kind: bird }
  links: [[a, b, 10], [b, c, 10], [a, c, 10]]
  gateways: { ga: { node: g1, router: a }, gc: { node: g2, router: c } }
  endHosts: { ea: { node: h1, gateway: ga }, ec: { node: h2, gateway: gc } }
  flows:
    - { from: ea, to: ec, rate: 2Mbps }
    - { from: ec, to: ea, rate: 2Mbps }
placements:
  initial: { a: p1, b: p2, c: p3 }
  final: { a: p4, b: p2, c: p5 }
`;
/** Routes that router a announces, and drops itself. */
const external = 2000;
const externalRoutes = Array.from(
  { length: external },
  (_, index) => `  route 198.18.${index >> 8}.${index & 255}/32 unreachable;`,
);
const config = ['protocol static own {', '  ipv4;', ...externalRoutes, '}', ''].join('\n');
const added = '10.66.128.0/24';

vi.setConfig({ testTimeout: 180_000 });

describeAsRootUnless(lackOfDaemons(), 'a VN with routing daemons', () => {
  const own = ownTestbed(
    (directory) => {
      writeFileSync(join(directory, 'own.conf'), config);
      writeFileSync(join(directory, 'living.yaml'), text);
      return join(directory, 'living.yaml');
    },
    '--dataplane',
    'kernel',
  );
  const file = () => join(own.vnm.directory, 'living.yaml');
  const inNode = (node: string, ...words: string[]) =>
    execFileSync('nsenter', [`--net=/run/netns/${own.namespace(node)}`, '--', ...words], { encoding: 'utf8' });
  const at = async (router: string, ...command: string[]) => {
    const { code, stdout, stderr } = await own.vnm.run(`exec living ${router} --`, ...command);
    expect({ router, code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  };
  const live = () => own.vnm.ok<LiveStatus>('status living --live');
  const placement = async () => (await own.vnm.ok<SliceStatus>('status living')).vns[0]!.placement;
  /** The folders of daemons, one per router of each instance. */
  const folders = () => readdirSync(daemonRoot).filter((name) => name.includes(`pt${own.testbed.id}`));
  const namespaceOf = (router: string) => namespacesOf(own.testbed).find((name) => name.endsWith(`-${router}`))!;
  const externalOf = (router: string) =>
    routes(namespaceOf(router)).filter(({ dst }) => dst.startsWith('198.18.')).length;

  /** Lets the daemons log every change of an adjacency. Those of a later instance do not. */
  async function logAdjacencies(): Promise<void> {
    for (const router of ['a', 'c']) await at(router, 'birdc', 'debug ospf1 { events }');
    await at('b', 'vtysh', '-c', 'configure terminal', '-c', 'router ospf', '-c', 'log-adjacency-changes detail');
  }
  /** Lines about changed adjacencies in the logs of these daemons. */
  const changesIn = (names: readonly string[]) =>
    names.flatMap((name) =>
      readFileSync(join(daemonRoot, name, 'log'), 'utf8')
        .split('\n')
        .filter((line) => /changed state|AdjChg/.test(line)),
    );

  async function expectSettled(): Promise<void> {
    await vi.waitFor(
      async () => {
        const { daemons } = await live();
        const down = daemons!.filter((one) => (one.adjacencies ?? []).filter(({ isUp }) => isUp).length !== 2);
        expect(down.map(({ router }) => router)).toEqual([]);
      },
      { timeout: 60_000, interval: 500 },
    );
  }

  beforeAll(async () => {
    await own.vnm.ok('install', file());
  });

  it('its routers have learnt all routes, and status shows neighbours and origins', async () => {
    expect(await own.vnm.ok<VerifyResult>('verify living')).toMatchObject({ ok: true });
    expect(await at('a', 'birdc', 'show ospf neighbors')).toContain('Full/PtP');
    expect(await at('b', 'vtysh', '-c', 'show ip ospf neighbor')).toContain('Full');
    await expectSettled();
    const { daemons, equal } = await live();
    expect(equal).toBe(true);
    expect(daemons).toMatchObject([
      { router: 'a', node: 'p1', kind: 'bird', state: 'running', restarts: 0 },
      { router: 'b', node: 'p2', kind: 'frr', state: 'running', restarts: 0 },
      { router: 'c', node: 'p3', kind: 'bird', state: 'running', restarts: 0 },
    ]);
    const [a, b, c] = daemons!;
    const neighbours = [a, b, c].map((one) => one!.adjacencies!.map(({ router }) => router).sort());
    expect(neighbours).toEqual([
      ['b', 'c'],
      ['a', 'c'],
      ['a', 'b'],
    ]);
    expect(a!.routes!.static).toBe(external + 1);
    expect(b!.routes!.ospf).toBeGreaterThan(external);
    expect(c!.routes!.ospf).toBeGreaterThan(external);
    const { stdout } = await own.vnm.run('status living --live');
    expect(stdout).toMatch(/^vn\/b {2,}p2 {2,}frr [\d.]+ .* {2}running +0 {2}.*a Full/m);
  });

  it('it migrates without loss, with its external routes and an added one, and no old daemon notices', async () => {
    await logAdjacencies();
    const [way] = routes(namespaceOf('b')).filter(({ gateway }) => gateway !== undefined);
    ip(namespaceOf('b'), `route add ${added} via ${way!.gateway} dev ${way!.dev}`);
    const old = folders();
    const running = own.vnm.start('--json migrate living --to final --traffic');
    await running.said('- redirect\n');
    const changes = changesIn(old);
    const { code, stdout } = await running.finished;
    expect(code).toBe(0);
    const { outcome, flows } = JSON.parse(stdout) as MigrateResult;
    expect(outcome).toBe('completed');
    expect(flows.map(({ lost, duplicated }) => ({ lost, duplicated }))).toEqual([
      { lost: 0, duplicated: 0 },
      { lost: 0, duplicated: 0 },
    ]);
    expect(changes).toEqual([]);
    expect(folders().filter((name) => old.includes(name))).toEqual([]);
    expect(['b', 'c'].map(externalOf)).toEqual([external, external]);
    expect(routes(namespaceOf('b'))).toContainEqual(expect.objectContaining({ dst: added }));
    expect(await live()).toMatchObject({ equal: true });
    expect(await placement()).toBe('final');
  });

  it.each([
    ['old', 'p4', 'p5'],
    ['new', 'p1', 'p3'],
  ])(
    'a link of the %s instance that fails during the wait ends the migration, with the difference',
    async (which, one, other) => {
      await logAdjacencies();
      const old = folders();
      const [before, changedBefore] = [namespacesOf(own.testbed), changesIn(old).length];
      const { address } = own.testbed.nodes.find(({ name }) => name === one)!;
      const running = own.vnm.start('--json migrate living --to initial');
      await running.said('- settle\n');
      inNode(other, 'nft', 'add table ip block; add chain ip block input { type filter hook input priority 0 ; }');
      inNode(other, 'nft', `add rule ip block input ip saddr ${address} udp dport 4789 drop`);
      const { code, stdout } = await running.finished;
      inNode(other, 'nft', 'delete table ip block');
      const { outcome, error } = JSON.parse(stdout) as MigrateResult;
      expect({ code, outcome }).toEqual({ code: 5, outcome: 'rolled-back' });
      expect(error).toMatch(/^after 42 s the new routers do not forward as the old ones do: router [abc] /);
      // Also shows that the logs would tell of a change.
      expect(changesIn(old).length > changedBefore).toBe(which === 'old');
      expect([folders(), namespacesOf(own.testbed)]).toEqual([old, before]);
      await expectSettled();
      expect(await live()).toMatchObject({ equal: true });
    },
  );

  it('a migration whose controller is killed during the wait is undone, and another one finished', async () => {
    for (const [command, outcome, ends] of [
      ['rollback', 'rolled-back', 'final'],
      ['resume', 'completed', 'initial'],
    ] as const) {
      const running = own.vnm.start('migrate living --to initial');
      await running.said('- settle\n');
      running.kill();
      await running.finished;
      expect(folders()).toHaveLength(6);
      expect(await own.vnm.ok<MigrateResult>(`${command} living`)).toMatchObject({ outcome });
      expect(folders()).toHaveLength(3);
      expect(await live()).toMatchObject({ equal: true });
      expect(await placement()).toBe(ends);
    }
  });

  it('a daemon that was ended is a difference until it runs again', async () => {
    const { daemons } = await live();
    const { namespace } = daemons!.find(({ router }) => router === 'c')!;
    for (const { pid } of processesNaming(join(daemonRoot, namespace))) process.kill(pid, 'SIGKILL');
    await vi.waitFor(
      async () => {
        const one = (await live()).daemons!.find(({ router }) => router === 'c')!;
        expect(one).toMatchObject({ state: 'running', restarts: 1 });
        expect(one.adjacencies!.filter(({ isUp }) => isUp)).toHaveLength(2);
      },
      { timeout: 60_000, interval: 500 },
    );
  });

  it('an invalid configuration is reported with its file and line', async () => {
    writeFileSync(join(own.vnm.directory, 'own.conf'), 'define mine = 7;\nlog "/tmp/x" all;\n');
    const { code, json } = await own.vnm.json('validate', file());
    const fault = { line: 9, message: expect.stringContaining("'own.conf', line 2: ") as string };
    expect({ code, json }).toMatchObject({ code: 3, json: { faults: [fault] } });
  });

  it('uninstall leaves no daemon and no file of one', async () => {
    await own.vnm.ok('uninstall living');
    expect(folders()).toEqual([]);
    expect(processesNaming(`${daemonRoot}/pt${own.testbed.id}`)).toEqual([]);
  });
});
