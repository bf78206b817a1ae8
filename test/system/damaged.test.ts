/** What is missing on the old side is named before anything is moved, so that the clone is not damaged too. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { ip, namespacesOf } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';
import { routerLink } from '../support/status.ts';

/** The two-node slice with a tenth of its latencies. */
function quickSlice(directory: string): string {
  const path = join(directory, 'quick.yaml');
  const text = readFileSync(gallery('two-node'), 'utf8');
  writeFileSync(path, text.replace(/(\[\w+, \w+, )(\d+)0(?=\])/g, '$1$2'));
  return path;
}

/** The access link of e2, which router a reaches over router b. */
const prefix = '10.64.0.2/31';
const foreign = '10.64.200.0/24';

describeAsRoot('a damaged old side', () => {
  const own = ownTestbed(quickSlice);
  beforeAll(() => own.vnm.ok('install two'));

  const linkOfA = async () => routerLink((await own.vnm.ok<SliceStatus>('status two')).vns[0]!, 'a', 'b');
  const loseRoute = (namespace: string) => ip(namespace, `route del ${prefix}`);
  const killIn = async (phase: string, command: string) => {
    const running = own.vnm.start(command);
    await running.said(`- ${phase}\n`);
    running.kill();
    await running.finished;
  };
  const verified = async () => (await own.vnm.json<VerifyResult>('verify two')).json.ok;

  it('a damaged old side is refused with router and prefix, or repaired first with --repair-first', async () => {
    const { namespace, peer } = await linkOfA();
    const [{ dev }] = JSON.parse(ip(namespace, `-json route show ${prefix}`)) as [{ dev: string }];
    ip(namespace, `route add ${foreign} via ${peer} dev ${dev} onlink`);
    loseRoute(namespace);
    const before = namespacesOf(own.testbed);
    const refused = await own.vnm.json<{ error: object }>('migrate two --to final');
    expect(refused).toMatchObject({
      code: 1,
      json: {
        error: {
          code: 'conflict',
          message: `the old side is incomplete: router a on node 'n1' has no route to ${prefix}`,
          hint: 'run pl-vnm migrate two --to final --repair-first to put it back first, or pl-vnm status two --live to see all differences',
        },
      },
    });
    expect(namespacesOf(own.testbed)).toEqual(before);
    expect((await own.vnm.ok<SliceStatus>('status two')).migrations).toEqual([]);
    const repaired = await own.vnm.json<MigrateResult>('migrate two --to final --repair-first');
    expect(repaired).toMatchObject({ code: 0, json: { outcome: 'completed' } });
    expect(repaired.json.unproven).toBeUndefined();
    // What was added by hand is not damage, and was cloned.
    expect(ip((await linkOfA()).namespace, `route show ${foreign}`)).toContain(foreign);
    expect(await verified()).toBe(true);
  });

  it('resume repairs a damaged old side if the migration was killed before it cloned', async () => {
    const { namespace } = await linkOfA();
    await killIn('set up', 'migrate two --to initial');
    loseRoute(namespace);
    const { code, json, stderr } = await own.vnm.json<MigrateResult>('resume two');
    expect({ code, outcome: json.outcome }).toEqual({ code: 0, outcome: 'completed' });
    expect(stderr).toContain(`router a on node 'n3' has no route to ${prefix}`);
    expect(await verified()).toBe(true);
  });

  it('--resume-first finishes an interrupted migration despite damage of its old side', async () => {
    await killIn('redirect', 'migrate two --to final');
    const refused = await own.vnm.json<{ error: { hint: string } }>('migrate two --to initial');
    expect(refused.json.error.hint).toContain('or run pl-vnm migrate two --to initial --resume-first');
    const { code, json } = await own.vnm.json<MigrateResult>('migrate two --to initial --resume-first');
    expect({ code, from: json.from, to: json.to, outcome: json.outcome }).toEqual({
      code: 0,
      from: 'final',
      to: 'initial',
      outcome: 'completed',
    });
    const { migrations } = await own.vnm.ok<SliceStatus>('status two');
    expect(migrations.slice(0, 2).map(({ to, outcome }) => [to, outcome])).toEqual([
      ['initial', 'completed'],
      ['final', 'completed'],
    ]);
  });
});
