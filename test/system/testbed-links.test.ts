/** `testbed link` and `testbed links` under a VN, on both kinds of testbeds. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { LinkMeasurement } from '../../src/testbed/links/probe-job.ts';
import type { LinkProperties } from '../../src/testbed/links/properties.ts';
import type { TestbedReport } from '../../src/testbed/manage.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

interface Links {
  readonly links: readonly {
    readonly from: string;
    readonly to: string;
    readonly asked: LinkProperties;
    readonly changed: boolean;
    readonly measured?: LinkMeasurement;
  }[];
}

/** The two-node slice with a tenth of its latencies. */
function sliceFile(directory: string): string {
  const path = join(directory, 'two.yaml');
  writeFileSync(path, readFileSync(gallery('two-node'), 'utf8').replace(/(\[\w+, \w+, )(\d+)0(?=\])/g, '$1$2'));
  return path;
}

const pathOf = (asked: Partial<LinkProperties>) => ({
  latencyMs: 12,
  jitterMs: 0,
  lossRate: 0,
  rateBps: null,
  ...asked,
});

function linksUnderVn(dataplane: 'kernel' | 'userspace'): void {
  const own = ownTestbed(sliceFile, '--dataplane', dataplane);
  const measure = async (count: number) => {
    const { links } = await own.vnm.ok<Links>(`testbed links two n1 n2 --measure --packets ${count}`);
    return links.map(({ asked, measured }) => ({ asked, measured: measured! }));
  };

  it('all paths are listed as the slice file declares them', async () => {
    const { links } = await own.vnm.ok<Links>('testbed links two');
    expect(links).toHaveLength(8 * 7);
    expect(links.filter(({ changed }) => changed)).toEqual([]);
    expect(links).toContainEqual({ from: 'n1', to: 'n2', asked: pathOf({}), changed: false });
    expect((await own.vnm.ok<Links>('testbed links two n1')).links).toHaveLength(2 * 7);
  });

  it('probes find a path as it is asked to be', async () => {
    for (const { asked, measured } of await measure(50)) {
      expect(asked).toEqual(pathOf({}));
      expect(measured).toMatchObject({ sent: 50, received: 50, lossRate: { value: 0, low: 0 } });
      // The relay may be half a millisecond early.
      expect(measured.latencyMs!.min).toBeGreaterThanOrEqual(11.5);
    }
  });

  it('a path without its packets cuts the VN off, until it is reset', async () => {
    await own.vnm.ok('install', join(own.vnm.directory, 'two.yaml'));
    expect((await own.vnm.ok<VerifyResult>('verify two')).ok).toBe(true);
    const { links } = await own.vnm.ok<Links>('testbed link two n1 n2 --loss 100%');
    expect(links).toEqual([
      { from: 'n1', to: 'n2', asked: pathOf({ lossRate: 1 }), changed: true },
      { from: 'n2', to: 'n1', asked: pathOf({ lossRate: 1 }), changed: true },
    ]);
    for (const { measured } of await measure(50)) {
      expect(measured).toMatchObject({ sent: 50, received: 0, lossRate: { value: 1, high: 1 }, latencyMs: null });
    }
    expect((await own.vnm.json<VerifyResult>('verify two')).json.ok).toBe(false);
    await own.vnm.ok('testbed link two n1 n2 --reset');
    for (const { measured } of await measure(50)) expect(measured).toMatchObject({ sent: 50, received: 50 });
    expect((await own.vnm.ok<VerifyResult>('verify two')).ok).toBe(true);
  });

  it('one direction has a latency, a jitter and a rate of its own, which probes find', async () => {
    await own.vnm.ok('testbed link two n1 n2 --one-way --latency 30 --jitter 10 --rate 1Mbps');
    const [there, back] = await measure(100);
    expect(there!.asked).toEqual(pathOf({ latencyMs: 30, jitterMs: 10, rateBps: 1_000_000 }));
    expect(there!.measured.latencyMs!.min).toBeGreaterThanOrEqual(19.5);
    expect(there!.measured.rate).toMatchObject({ sent: 20, bps: expect.any(Number) });
    expect(back!.asked).toEqual(pathOf({}));
    expect(back!.measured.rate).toBeUndefined();
  });

  it('status and up show the changed paths, and a second up keeps the testbed', async () => {
    const status = await own.vnm.run('testbed status');
    expect(status.stdout).toMatch(/changed paths\n.*\n.*\nn1 +n2 +30 +10 +0 +1Mbps +yes/);
    const { testbeds } = await own.vnm.ok<{ testbeds: TestbedReport[] }>('testbed status');
    expect(testbeds[0]!.changedLinks).toEqual([
      { from: 'n1', to: 'n2', ...pathOf({ latencyMs: 30, jitterMs: 10, rateBps: 1_000_000 }) },
    ]);
    const again = await own.vnm.run('testbed up', join(own.vnm.directory, 'two.yaml'), '--dataplane', dataplane);
    expect([again.code, /^changed paths$/m.test(again.stdout)]).toEqual([0, true]);
    expect((await own.vnm.ok<VerifyResult>('verify two')).ok).toBe(true);
  });

  it.each([
    ['testbed link two n1 n1 --loss 1%', 3, "node 'n1' is given twice"],
    ['testbed link two n1 n9 --loss 1%', 1, "slice 'two' has no node 'n9'"],
    ['testbed link two n1 n2', 2, 'there is nothing to change'],
    ['testbed link two n1 n2 --loss 101%', 2, 'Give a percentage from 0 to 100.'],
    ['testbed link two n1 n2 --latency -5', 2, 'Give milliseconds from 0 to 60000'],
    ['testbed link two n2 n1 --jitter 12.5', 3, "the jitter from 'n2' to 'n1' would be 12.5 ms"],
    ['testbed links two n1 n2 gw1', 2, 'more than two nodes'],
  ])('%s ends with %d: %s', async (command, exitCode, message) => {
    const { code, stderr } = await own.vnm.run(command);
    expect([code, stderr]).toEqual([exitCode, expect.stringContaining(message)]);
  });
}

describe('the paths of a testbed in user space', () => linksUnderVn('userspace'));

describeAsRoot('the paths of a kernel testbed', () => linksUnderVn('kernel'));

describe('a testbed whose slice declares no latency', () => {
  const own = ownTestbed(
    (directory) => {
      const path = sliceFile(directory);
      writeFileSync(path, readFileSync(path, 'utf8').replace(/^ {2}latency:.*\n( {4}.*\n)+/m, ''));
      return path;
    },
    '--dataplane',
    'userspace',
    '--relay',
  );

  it('has a relay if that is asked, and its paths can be changed', async () => {
    expect(own.testbed.latency).toBe('relay');
    await own.vnm.ok('testbed link two n1 n2 --latency 3');
    const { links } = await own.vnm.ok<Links>('testbed links two n1 n2 --measure --packets 10');
    for (const { measured } of links) {
      expect(measured!.received).toBe(10);
      expect(measured!.latencyMs!.min).toBeGreaterThanOrEqual(2.5);
    }
  });
});
