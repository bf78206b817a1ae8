/** Faults are located, and failed migrations are undone. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { gatewayLink, planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { cutNode, healNode } from '../../src/testbed/underlay.ts';
import { interfaceWith, ip, networkOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';
import { routerLink } from '../support/status.ts';

const file = gallery('two-node');
const slice = readSlice(file);
const vn = slice.vns[0]!;
/** The same with a new instance so slow that a test can cut it while the first packets are in flight. */
function slowSlice(directory: string): string {
  const path = join(directory, 'slow.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(path, text.replace('[gw1, n3, 40]', '[gw1, n3, 400]').replace('[n4, gw2, 40]', '[n4, gw2, 400]'));
  return path;
}

/** The two instances of a first migration. */
const old = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const fresh = planInstance(slice, vn, vn.placements.get('final')!, 1);

describeAsRoot('verify', () => {
  const own = ownTestbed(file);
  beforeAll(() => own.vnm.ok('install', file));

  const verify = async () => {
    const { code, json } = await own.vnm.json<VerifyResult>('verify two');
    return { code, ok: json.ok, stopsAt: json.pairs.map((pair) => pair.stopsAt) };
  };
  const well = { code: 0, ok: true, stopsAt: [undefined, undefined] };
  const repair = async () => {
    const { vns } = await own.vnm.ok<{ vns: InstallResult[] }>('install two');
    expect(vns[0]!.changed).toBeGreaterThan(0);
    expect(await verify()).toEqual(well);
  };

  it('verify finds the routers between which packets stop, until install has repaired the VN', async () => {
    const installed = await networkOf(own.testbed);
    const status = await own.vnm.ok<SliceStatus>('status two');
    const link = routerLink(status.vns[0]!, 'a', 'b');
    const tunnel = interfaceWith(link.namespace, link.own);
    ip(link.namespace, `link set ${tunnel} down`);
    expect(await verify()).toEqual({
      code: 1,
      ok: false,
      stopsAt: ['between router a on n1 and router b on n2', 'between router b on n2 and router a on n1'],
    });
    await repair();
    expect(await networkOf(own.testbed)).toEqual(installed);
  });

  it('verify names a gateway or end host that has lost its link', async () => {
    const [gateway, { hostEnd: endHost }] = [gatewayLink(old, 'g2').a, planVn(slice, vn).access[0]!];
    ip(own.namespace('gw2'), `link delete ${gateway.interface}`);
    ip(own.namespace('h1'), `link delete ${endHost.interface}`);
    expect((await verify()).stopsAt).toEqual([
      `at end host e1: ${endHost.address} is not an address of this node`,
      `at gateway g2: ${gateway.address} is not an address of this node`,
    ]);
    await repair();
  });
});

describeAsRoot('a migration that fails', () => {
  const own = ownTestbed(slowSlice);
  let installed: unknown;
  beforeAll(async () => {
    await own.vnm.ok('install two');
    installed = await networkOf(own.testbed);
  });

  /** Checks that it exits with 5 and the reason, and that everything is as if it had never begun. */
  async function expectUndone({ code, json }: { code: number | null; json: MigrateResult }, error: string) {
    expect({ code, outcome: json.outcome, error: json.error }).toEqual({ code: 5, outcome: 'rolled-back', error });
    expect(json.phases.at(-1)!.name).toBe('remove the new instance');
    expect(await networkOf(own.testbed)).toEqual(installed);
    const { vns, migrations } = await own.vnm.ok<SliceStatus>('status two');
    expect(vns).toMatchObject([{ placement: 'initial', instances: [{ placement: 'initial', state: 'active' }] }]);
    expect(migrations[0]).toMatchObject({ from: 'initial', to: 'final', outcome: 'rolled-back', error });
    expect(await own.vnm.ok<VerifyResult>('verify two')).toMatchObject({ ok: true });
  }
  const migrate = () => own.vnm.json<MigrateResult>('migrate two --to final --traffic');

  it('a migration that fails because a name is in use on a new node loses nothing', async () => {
    const { a, vni } = fresh.links[0]!;
    const router = `${own.namespace('n3')}.two_1-a`;
    execFileSync('ip', ['netns', 'add', router]);
    ip(router, `link add ${a.interface} type bridge`);
    const remote = own.testbed.nodes.find((one) => one.name === 'n4')!.address;
    const result = await migrate();
    await expectUndone(
      result,
      `node 'n3': interface '${a.interface}' in namespace '${router}' is a bridge, requested: a vxlan with VNI ${vni} to ${remote}:4789`,
    );
    expect(result.json.flows).toMatchObject([{ from: 'e1', to: 'e2', lost: 0 }]);
    expect(result.json.redirections).toEqual([]);
  });

  it('a migration that fails because the new instance carries no packets names the place where they stop', async () => {
    await cutNode(own.testbed, 'n4');
    const result = await migrate();
    await healNode(own.testbed, 'n4');
    await expectUndone(
      result,
      'the new instance does not carry traffic from g1 to g2: packets stop between router a on n3 and router b on n4; g2 to g1: packets stop between gateway g2 and router b on n4',
    );
    expect(result.json.flows).toMatchObject([{ from: 'e1', to: 'e2', lost: 0 }]);
  });

  it('a migration that fails after the redirection is redirected back', async () => {
    const running = own.vnm.start('--json migrate two --to final');
    await running.said('- redirect\n');
    await cutNode(own.testbed, 'n4');
    const { code, stdout } = await running.finished;
    await healNode(own.testbed, 'n4');
    const json = JSON.parse(stdout) as MigrateResult;
    await expectUndone(
      { code, json },
      'after the redirection, no packet arrived from e1 to e2: packets stop between router a on n3 and router b on n4; e2 to e1: packets stop between gateway g2 and router b on n4',
    );
    expect(json.redirections.map(({ gateway }) => gateway).sort()).toEqual(['g1', 'g2']);
  });
});
