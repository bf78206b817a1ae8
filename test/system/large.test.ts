/** A VN with more links than a slice number has ids for, on both data planes. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus, VnStatus } from '../../src/controller/status.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import { sliceIds } from '../../src/model/ids.ts';
import { networkOf } from '../support/kernel.ts';
import { largeSlice, largeSliceText } from '../support/large-slice.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { routerLink } from '../support/status.ts';

/** For two instances with 404 tunnels each on a busy machine. */
const patienceMs = 480_000;
/** 30 routers have at most 435 links. */
const shape = { routers: 30, links: 400, nodes: 3, gateways: 4, flows: 12, latencies: false };
const { vns, ...slice } = largeSlice(shape);
const vn = vns[0]!;

const suites: readonly [Dataplane, typeof describe | typeof describeAsRoot][] = [
  ['kernel', describeAsRoot],
  ['userspace', describe],
];

for (const [dataplane, suite] of suites) {
  suite(`a VN with 400 links and 4 gateways on the ${dataplane} data plane`, () => {
    const write = (directory: string) => {
      const file = join(directory, 'large.yaml');
      writeFileSync(file, largeSliceText(shape));
      return file;
    };
    const own = ownTestbed(write, '--dataplane', dataplane);
    const statusOf = async () => (await own.vnm.ok<SliceStatus>('status large')).vns[0]!;

    it('the VN is installed, carries packets over every link, migrates without loss and goes without a trace', {
      timeout: patienceMs,
    }, async () => {
      const before = dataplane === 'kernel' ? await networkOf(own.testbed) : undefined;
      const installed = await own.vnm.ok<{ vns: InstallResult[] }>('install', join(own.vnm.directory, 'large.yaml'));
      expect(installed.vns).toMatchObject([{ vn: 'large', placement: 'initial', nodes: 11 }]);
      const status = await statusOf();
      expect(status.instances[0]!.tunnels).toHaveLength(404);
      if (dataplane === 'kernel') expect(silentLinks(status)).toEqual([]);
      const verified = await own.vnm.ok<VerifyResult>('verify large');
      expect(verified).toMatchObject({ ok: true });
      expect(verified.pairs).toHaveLength(12);

      // It tries packets of full size on every tunnel between nodes, and notes those where nothing answers.
      const { json, stderr } = await own.vnm.json<MigrateResult>('migrate large --to final --traffic');
      expect(json).toMatchObject({ outcome: 'completed', to: 'final' });
      expect(stderr).not.toContain('unknown whether packets');
      expect(json.flows.map(({ lost }) => lost)).toEqual(json.flows.map(() => 0));
      const after = await statusOf();
      if (dataplane === 'kernel') {
        expect(silentLinks(after)).toEqual([]);
        const vnis = vnisOf(own.testbed.nodes.map(({ namespace }) => namespace));
        const { first, last } = sliceIds({ ...slice, vns }).vnis;
        expect(vnis.every((vni) => vni >= first && vni <= last)).toBe(true);
        expect(Math.max(...vnis) - Math.min(...vnis)).toBeGreaterThan(4096);
      }
      expect((await own.vnm.run('reconcile large')).stdout).toContain('nothing to do');

      await own.vnm.ok('uninstall large');
      if (before !== undefined) expect(await networkOf(own.testbed)).toEqual(before);
      expect((await statusOf()).instances).toEqual([]);
    });
  });
}

/** The virtual links over which no echo comes back. */
function silentLinks(status: VnStatus): string[] {
  const asked = vn.links.map(({ from, to }) => ({ ...routerLink(status, from, to), name: `${from}-${to}` }));
  return [...Map.groupBy(asked, ({ namespace }) => namespace)].flatMap(([namespace, links]) => {
    const script = links.map(({ own, peer, name }) => `ping -c 1 -W 2 -I ${own} ${peer} >/dev/null || echo ${name}`);
    const words = ['netns', 'exec', namespace, 'sh', '-c', script.join('\n')];
    return execFileSync('ip', words, { encoding: 'utf8' })
      .split('\n')
      .filter((name) => name !== '');
  });
}

/** The VNIs of the tunnels in these namespaces. */
function vnisOf(namespaces: readonly string[]): number[] {
  return namespaces.flatMap((namespace) => {
    const links = JSON.parse(
      execFileSync('ip', ['-n', namespace, '-details', '-json', 'link', 'show', 'type', 'vxlan'], { encoding: 'utf8' }),
    ) as { linkinfo?: { info_data?: { id?: number } } }[];
    return links.flatMap(({ linkinfo }) => linkinfo?.info_data?.id ?? []);
  });
}
