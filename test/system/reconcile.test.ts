/** `reconcile` finds and repairs differences of the nodes from the database, and touches nothing else. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bucketWords, hookWords, redirectWords } from '../../src/agent/dataplane/planner/gate.ts';
import type { LiveStatus } from '../../src/controller/live.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { ReconcileResult } from '../../src/controller/reconcile.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { linkVni, sliceIds } from '../../src/model/ids.ts';
import { gatewayLink, planInstance } from '../../src/planning/instance.ts';
import { nexthopInto, planVn } from '../../src/planning/vn-plan.ts';
import { createRepairer } from '../../src/service/repair.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { ip, namespacesOf, networkOf, processesOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('two-node');
const slice = readSlice(file);
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const plan = planVn(slice, vn);
const [access, access2] = plan.access;
const nexthopOfG1 = (slot: number) => nexthopInto(plan, plan.gateways[0]!, slot);
const [toG1, toG2] = [gatewayLink(instance, 'g1'), gatewayLink(instance, 'g2')];
const virtual = instance.links[0]!;
const mark = virtual.a.interface.slice(0, 6);

/** Another slice on the same nodes with the same VN. */
const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-reconcile-'));
const otherFile = join(directory, 'other.yaml');
writeFileSync(
  otherFile,
  readFileSync(file, 'utf8').replace('slice: two', 'slice: other').replace('vnet: 10.64.0.0/16', 'vnet: 10.63.0.0/16'),
);
afterAll(() => rmSync(directory, { recursive: true }));

describeAsRoot('reconcile', () => {
  const own = ownTestbed(file, otherFile);
  const router = (node: string, name: string) => `${own.namespace(node)}.two_0-${name}`;
  const network = () => networkOf(own.testbed);
  let installed: unknown;

  beforeAll(async () => {
    await own.vnm.ok('install', otherFile);
    await own.vnm.ok('install', file);
    installed = await network();
  });

  const live = () => own.vnm.json<LiveStatus>('status two --live');
  const reconcile = (options = '') => own.vnm.json<ReconcileResult>(`reconcile two${options}`);
  /** Differences as `node object: wanted / found`, in an order that does not depend on the nodes. */
  const lines = (list: LiveStatus['differences']) =>
    list
      .map(({ node, namespace, name, wanted, found, additional }) => {
        const where = namespace === undefined ? node : `${node} ${namespace.split('.')[1]}`;
        return `${where} ${name}: ${wanted} / ${found}${additional ? ' (additional)' : ''}`;
      })
      .sort();
  const verified = async () => (await own.vnm.json<VerifyResult>('verify two')).json.ok;

  const tunnel = (vni: number, node: string) =>
    `a vxlan with VNI ${vni} to ${own.testbed.nodes.find(({ name }) => name === node)!.address}:4789`;

  function tc(namespace: string, words: readonly string[]): void {
    execFileSync('tc', ['-n', namespace, ...words]);
  }

  function write(namespace: string, setting: string, value: string): void {
    execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'tee', `/proc/sys/net/${setting}`], { input: value });
  }

  it('reconcile finds and changes nothing after an installation', async () => {
    const nothing = { differences: [], unreachable: [], failed: [], notCompared: [] };
    expect(await live()).toMatchObject({ code: 0, json: { slice: 'two', equal: true, ...nothing } });
    expect((await own.vnm.run('reconcile two')).stdout).toBe("nothing to do: slice 'two' matches the database\n");
    expect(await network()).toEqual(installed);
  });

  const group = 0x8000 + slice.number * 65_536 + 1;
  const [stray, strayVni] = [nexthopOfG1(5), linkVni(sliceIds(slice), 5, 1)];
  const extra = '10.64.200.0/24';

  /** Damages something on every node. */
  function damage(): void {
    const [n1, n2, gw1, gw2, h1, h2] = ['n1', 'n2', 'gw1', 'gw2', 'h1', 'h2'].map(own.namespace) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const a = router('n1', 'a');
    // A missing route, a changed one, an additional one, and an interface of no slice.
    ip(a, `route del ${access!.prefix.replace('.0/31', '.2/31')}`);
    ip(a, `route replace blackhole ${toG2.a.address}/32 proto 246`);
    ip(a, `route add ${extra} via ${virtual.b.address} dev ${virtual.a.interface} onlink`);
    ip(a, 'link add mine0 type bridge');
    ip(a, `link set ${virtual.a.interface} mtu 1400`);
    write(a, 'ipv4/conf/all/rp_filter', '2');
    // A missing namespace.
    execFileSync('ip', ['netns', 'del', router('n2', 'b')]);
    // Leftovers of an instance in slot 5: a namespace and interfaces.
    execFileSync('ip', ['netns', 'add', `${n2}.two_5-b`]);
    ip(`${n2}.two_5-b`, `link add ${mark}5l0b type bridge`);
    ip(n1, `link add ${mark}5l3a type bridge`);
    ip(n1, 'link add theirs0 type bridge');
    // A gateway without a group, and one without its tunnel and what used it.
    ip(gw1, `nexthop del id ${group}`);
    ip(gw1, `link add ${mark}5l1a type vxlan id ${strayVni} dstport 4789 remote 198.18.0.9`);
    ip(gw1, `link set ${mark}5l1a up`);
    ip(gw1, `nexthop add id ${stray} via 10.64.0.99 dev ${mark}5l1a onlink`);
    ip(gw2, `link del ${toG2.a.interface}`);
    // A closed gate that was never opened.
    const gated = access!.gatewayEnd.interface;
    const gate = `${gated}.ifb`;
    ip(gw1, `link add ${gate} type ifb`);
    ip(gw1, `link set ${gate} up`);
    tc(gw1, bucketWords(gate, { limitBytes: 5_000_000, closed: true }));
    tc(gw1, redirectWords(gated, gate));
    // An interface that can no longer have a gate.
    tc(gw2, hookWords('del', access2!.gatewayEnd.interface));
    // An end host with another address, and one without its rules.
    ip(h1, `address add 10.64.7.7/32 dev ${access!.hostEnd.interface} noprefixroute`);
    ip(h1, `address del ${access!.hostEnd.address}/32 dev ${access!.hostEnd.interface}`);
    ip(h2, `rule del priority ${10_000 + slice.number}`);
    ip(h2, `rule del priority ${10_000 + slice.number}`);
  }

  it('reconcile --dry-run finds all damage and changes nothing', async () => {
    damage();
    const status = await live();
    // Read only now: the kernel settles the state of a new interface within a second.
    const damaged = await network();
    expect(status.code).toBe(1);
    const [gated, a] = [access!.gatewayEnd.interface, 'n1 two_0-a'];
    const overVirtual = `via ${virtual.b.address} over '${virtual.a.interface}'`;
    const ofNone = [
      `gw1 ${mark}5l1a: null / a vxlan with VNI ${strayVni} to 198.18.0.9:4789`,
      `n1 ${mark}5l3a: null / a bridge`,
      `n2 ${own.namespace('n2')}.two_5-b: null / there`,
    ];
    const ofVn = [
      `gw1 ${group}: resilient group, leads to ${nexthopOfG1(0)} / null`,
      `gw1 ${gated}.ifb: null / a closed gate`,
      `gw2 ${toG2.a.interface}: ${tunnel(toG2.vni, 'n2')} / null`,
      `gw2 ${access2!.gatewayEnd.interface}: can have a gate / cannot have a gate`,
      `h1 ${access!.hostEnd.interface}: address ${access!.hostEnd.address}/32 / address 10.64.7.7/32`,
      'h2 from: there / null',
      'h2 to: there / null',
      `${a} 10.64.0.2/31: ${overVirtual} / null`,
      `${a} ${extra}: null / ${overVirtual} (additional)`,
      `${a} ${toG2.a.address}/32: ${overVirtual} / blackhole`,
      `${a} ipv4/conf/all/rp_filter: 1 / 2`,
      `${a} ${virtual.a.interface}: MTU 1500 / MTU 1400`,
      `n2 ${router('n2', 'b')}: there / null`,
    ];
    expect(lines(status.json.differences)).toEqual([...ofNone, ...ofVn].sort());
    const dry = await reconcile(' --dry-run');
    expect(dry).toMatchObject({ code: 0, json: { dryRun: true, vns: ['two'], unreachable: [], failed: [] } });
    expect(lines([...dry.json.repaired, ...dry.json.additional])).toEqual([...ofNone, ...ofVn].sort());
    const one = await reconcile(' --vn two --dry-run');
    expect(lines([...one.json.repaired, ...one.json.additional])).toEqual(ofVn.sort());
    expect(await network()).toEqual(damaged);
    expect(await verified()).toBe(false);
  });

  it('reconcile repairs all damage and touches nothing else', async () => {
    const right = [access!.gatewayEnd.interface, toG1.a.interface];
    const indexes = () =>
      right.map((name) => JSON.parse(ip(own.namespace('gw1'), `-json link show ${name}`))[0].ifindex);
    const before = indexes();
    const { code, json } = await reconcile();
    expect(code).toBe(0);
    expect(json.repaired).toHaveLength(15);
    // What was correct is not made again.
    expect(indexes()).toEqual(before);
    expect(await verified()).toBe(true);
    const again = await reconcile();
    expect(again).toMatchObject({ code: 0, json: { repaired: [], additional: json.additional } });
    expect(lines(json.additional)).toEqual([
      `n1 two_0-a ${extra}: null / via ${virtual.b.address} over '${virtual.a.interface}' (additional)`,
    ]);
    const { events } = await own.vnm.ok<SliceStatus>('status two');
    expect(events.filter(({ kind }) => kind === 'reconciled').map(({ message }) => message)).toEqual([
      'slice: 15 differences repaired on n1, n2, gw1, gw2, h1, h2',
    ]);
    // What others added is still there; apart from it everything is as before.
    ip(router('n1', 'a'), 'link del mine0');
    ip(own.namespace('n1'), 'link del theirs0');
    ip(router('n1', 'a'), `route del ${extra}`);
    expect(await network()).toEqual(installed);
  });

  it('reconcile restores everything on nodes that were restarted', async () => {
    for (const node of ['n1', 'gw1']) await restart(node);
    const { json } = await live();
    expect(lines(json.differences)).toEqual([
      'gw1 0.0.0.0/0 metric 4278198272: unreachable / null',
      'gw1 from: there / null',
      `gw1 ${toG1.a.interface}: ${tunnel(toG1.vni, 'n1')} / null`,
      `gw1 ${access!.gatewayEnd.interface}: ${tunnel(access!.vni, 'h1')} / null`,
      'gw1 to: there / null',
      `n1 ${router('n1', 'a')}: there / null`,
    ]);
    expect(await reconcile()).toMatchObject({ code: 0, json: { unreachable: [], failed: [] } });
    expect(await verified()).toBe(true);
    expect(await network()).toEqual(installed);
  });

  /** Checks that nothing of the slice is left, and that its agent has ended. */
  async function restart(node: string): Promise<void> {
    const namespace = own.namespace(node);
    for (const { pid, command } of processesOf(namespace)) {
      if (command.includes('daemon --slice two')) process.kill(pid, 'SIGKILL');
    }
    for (const name of namespacesOf(own.testbed).filter((name) => name.startsWith(`${namespace}.two_`))) {
      execFileSync('ip', ['netns', 'del', name]);
    }
    const links = JSON.parse(ip(namespace, '-json link')) as { ifname: string }[];
    for (const { ifname } of links.filter(({ ifname }) => ifname.startsWith(mark))) ip(namespace, `link del ${ifname}`);
    const rules = JSON.parse(ip(namespace, '-json rule')) as { priority: number }[];
    const ours = rules.filter(({ priority }) => priority === 10_000 + slice.number);
    for (const { priority } of ours) ip(namespace, `rule del priority ${priority}`);
    if (ours.length > 0) ip(namespace, `route flush table ${50_000 + slice.number}`);
  }

  it('status --live requires a slice', async () => {
    expect(await own.vnm.json('status --live')).toMatchObject({
      code: 2,
      json: { error: { code: 'usage', message: '--live needs a slice', hint: "run 'pl-vnm status SLICE --live'" } },
    });
  });

  it('reconcile refuses while a migration is unfinished', async () => {
    const store = openStore(own.vnm.database);
    const id = store.migrations.start({
      slice: 'two',
      vn: 'two',
      from: 'initial',
      to: 'final',
      control: 'gateway',
      schedule: 'optimal',
      urpf: 'strict',
      options: '{}',
      urpfBefore: 'strict',
      oldInstance: store.instances.active('two', 'two')!.id,
    });
    const { code, json } = await reconcile();
    expect({ code, json }).toEqual({
      code: 1,
      json: {
        error: {
          code: 'conflict',
          message: expect.stringMatching(
            /^the migration of VN 'two' of slice 'two' from 'initial' to 'final' was interrupted/,
          ),
          hint: 'run pl-vnm resume two to finish it, or pl-vnm rollback two to undo it',
        },
      },
    });
    expect(await live()).toMatchObject({ code: 0, json: { equal: true, migrating: ['two'] } });
    store.migrations.finish(id, 'rolled-back', Date.now());
    store.close();
  });

  it('the service removes the trial instance that a killed plan left behind', async () => {
    const before = await network();
    const planning = own.vnm.start('plan two --to final');
    await planning.said('- measure\n');
    planning.kill();
    await planning.finished;
    const store = openStore(own.vnm.database);
    const abort = new AbortController();
    const report = () => {};
    const errors: unknown[] = [];
    const repairer = createRepairer(
      {
        context: { store, acceptNewHostKeys: false, report, signal: abort.signal },
        now: Date.now,
        record: (sliceName, kind, message) => store.events.add(sliceName, kind, message),
        onOutcome: report,
        onError: (_, error) => errors.push(error),
        signal: abort.signal,
      },
      { auditMs: 1e9, pauseMs: 50, perHour: 20 },
    );
    try {
      const instances = () => store.instances.list({ slice: 'two', vn: 'two' });
      expect(instances()).toHaveLength(2);
      repairer.check('two', 'a test');
      await expect.poll(() => instances().length, { timeout: 20_000 }).toBe(1);
      expect(store.events.list('two', 5).map(({ kind }) => kind)).toContain('trial-removed');
      expect(errors).toEqual([]);
    } finally {
      abort.abort();
      await repairer.ended();
      store.close();
    }
    expect(await network()).toEqual(before);
  });

  it('reconcile repairs the other nodes when one is unreachable', async () => {
    const namespace = own.namespace('h2');
    ip(namespace, `link del ${planVn(slice, vn).access[1]!.hostEnd.interface}`);
    ip(own.namespace('gw1'), `link del ${toG1.a.interface}`);
    for (const { pid, command } of processesOf(namespace))
      if (!command.includes('daemon')) process.kill(pid, 'SIGKILL');
    const status = await live();
    expect(status).toMatchObject({ code: 4, json: { equal: false, unreachable: [{ node: 'h2' }], failed: [] } });
    const { code, json } = await reconcile();
    expect(code).toBe(4);
    expect(json.unreachable).toEqual([
      { node: 'h2', message: expect.stringMatching(/^node 'h2' .* cannot be reached: connection refused$/) },
    ]);
    expect(json.repaired).toEqual(status.json.differences);
    expect(await reconcile()).toMatchObject({ code: 4, json: { repaired: [] } });
  });
});
