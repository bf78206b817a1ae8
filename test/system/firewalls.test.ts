/** Firewalls of end hosts and gateways: what they pass proves a VN, and what they drop does not stop a migration. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

/** The two-node slice with a tenth of its latencies. */
function quickSlice(directory: string): string {
  const path = join(directory, 'quick.yaml');
  const text = readFileSync(gallery('two-node'), 'utf8');
  writeFileSync(path, text.replace(/(\[\w+, \w+, )(\d+)0(?=\])/g, '$1$2'));
  return path;
}

const established = 'ct state established,related accept';
const others = ['iif lo accept', 'tcp dport 22 accept', 'udp dport 4789 accept'];
const echo = 'icmp type echo-request accept';
/** Input rules of a host: stateful ones, stateless ones, and one that drops everything from the VN. */
const firewalls = {
  usual: [established, ...others, echo],
  stateless: [...others, 'icmp type { echo-request, echo-reply } accept', 'tcp sport 1024-65535 accept'],
  shut: ['ip saddr 10.64.0.0/16 drop', 'accept'],
};

describeAsRoot('behind a firewall', () => {
  const own = ownTestbed(quickSlice);
  beforeAll(() => own.vnm.ok('install two'));

  function nft(node: string, rules: string): void {
    execFileSync('ip', ['netns', 'exec', own.namespace(node), 'nft', '-f', '-'], { input: rules });
  }
  const open = (node: string) => nft(node, 'add table ip f\ndelete table ip f\n');
  /** In the node's own stack, so the routers' namespaces stay as they are. */
  function protect(kind: keyof typeof firewalls, ...nodes: string[]): void {
    const rules = firewalls[kind].map((rule) => `add rule ip f i ${rule}`);
    const policy = 'add table ip f\nadd chain ip f i { type filter hook input priority 0; policy drop; }';
    for (const node of nodes) nft(node, [policy, ...rules, ''].join('\n'));
  }
  beforeEach(() => {
    for (const node of ['h1', 'h2', 'gw1', 'gw2']) open(node);
  });

  const verify = async () => {
    const { code, json } = await own.vnm.json<VerifyResult>('verify two');
    return { code, by: json.pairs.map(({ reachable, provenBy }) => provenBy ?? (reachable ? 'packets' : 'nothing')) };
  };
  let placement = 'initial';
  const other = () => (placement === 'initial' ? 'final' : 'initial');
  async function migrate() {
    const { code, json, stderr } = await own.vnm.json<MigrateResult>(`migrate two --to ${other()} --traffic`);
    if (code === 0) placement = other();
    return { code, outcome: json.outcome, unproven: json.unproven, lost: json.flows[0]?.lost, stderr };
  }
  const bothPairs = [
    { from: 'e1', to: 'e2' },
    { from: 'e2', to: 'e1' },
  ];

  it('a VN is verified and moved and its traffic counted behind firewalls that accept answers', async () => {
    protect('usual', 'h1', 'h2', 'gw1', 'gw2');
    expect(await verify()).toEqual({ code: 0, by: ['packets', 'packets'] });
    expect(await migrate()).toMatchObject({ code: 0, outcome: 'completed', unproven: undefined, lost: 0 });
  });

  it('a VN is verified by echo requests and moved behind firewalls that accept only these', async () => {
    protect('stateless', 'h1', 'h2', 'gw1', 'gw2');
    expect(await verify()).toEqual({ code: 0, by: ['echo', 'echo'] });
    const result = await migrate();
    expect(result).toMatchObject({ code: 0, outcome: 'completed', unproven: undefined });
    expect(result.stderr).toContain('a gateway drops them; using the latencies of the slice file');
  });

  it('a VN is moved behind firewalls that drop all its probes, and the unproven pairs are named', async () => {
    protect('shut', 'h1', 'h2');
    expect(await verify()).toEqual({ code: 1, by: ['nothing', 'nothing'] });
    const result = await migrate();
    expect(result).toMatchObject({ code: 0, outcome: 'completed', unproven: bothPairs });
    expect(result.stderr).toContain(
      'did not reach each other before the migration, so not required after it: e1 to e2, e2 to e1',
    );
    expect(result.stderr).toContain('after the redirection, reachability not proven: e1 to e2, e2 to e1');
  });

  it('each command names a gateway whose firewall forwards nothing, with a hint', async () => {
    nft('gw1', 'add table ip f\nadd chain ip f FORWARD { type filter hook forward priority 0; policy drop; }\n');
    const obstacle = {
      node: 'gw1',
      kind: 'forward-filter',
      message: expect.stringContaining('chain FORWARD of table ip f (policy drop, hook forward)') as string,
      hint: expect.stringMatching(
        /^run on the node: nft insert rule ip f FORWARD iifname "pv\w{3}-\*" oifname "pv\w{3}-\*" accept;/,
      ) as string,
      blocks: true,
    };
    const doctor = await own.vnm.json<DoctorResult>('doctor two');
    expect(doctor.code).toBe(1);
    expect(doctor.json.nodes.flatMap(({ problems }) => problems)).toEqual([
      expect.stringContaining('a firewall drops traffic of 10.64.0.0/16'),
    ]);
    expect(doctor.json.nodes.flatMap(({ obstacles = [] }) => obstacles.filter(({ blocks }) => blocks))).toEqual([
      obstacle,
    ]);
    const broken = await own.vnm.json<VerifyResult>('verify two');
    expect(broken).toMatchObject({ code: 1, json: { ok: false, obstacles: [obstacle] } });
    expect(broken.json.pairs[0]!.stopsAt).toMatch(/check the obstacles on gw1$/);
    expect(await own.vnm.ok('status two --live')).toMatchObject({ equal: true, obstacles: [obstacle] });
    expect((await own.vnm.json(`install two --placement ${placement}`)).stderr).toContain(
      'gw1: a firewall drops traffic',
    );
    // The command in the hint helps.
    const [, , command] = /^(run on the node: nft )(.*); and keep/.exec(
      doctor.json.nodes.flatMap(({ obstacles = [] }) => obstacles)[0]!.hint,
    )!;
    nft('gw1', `${command}\n`);
    expect(await verify()).toMatchObject({ code: 0 });
    expect((await own.vnm.json('doctor two')).code).toBe(0);
  });

  it('a migration during which a firewall starts is rolled back completely', async () => {
    const running = own.vnm.start(`--json migrate two --to ${other()}`);
    await running.said('- measure\n');
    protect('shut', 'h1', 'h2');
    const { code, stdout } = await running.finished;
    expect({ code, ...(JSON.parse(stdout) as MigrateResult) }).toMatchObject({
      code: 5,
      outcome: 'rolled-back',
      unproven: bothPairs,
    });
    for (const node of ['h1', 'h2']) open(node);
    expect(await verify()).toMatchObject({ code: 0 });
  });

  it('a migration during which a firewall starts that accepts only echo requests is rolled back', async () => {
    const running = own.vnm.start(`--json migrate two --to ${other()}`);
    await running.said('- measure\n');
    protect('stateless', 'h1', 'h2');
    const { code, stdout } = await running.finished;
    const result = JSON.parse(stdout) as MigrateResult;
    expect({ code, ...result }).toMatchObject({ code: 5, outcome: 'rolled-back', unproven: bothPairs });
    expect(result.error).toContain('e2, which still answers echo requests: probably at a firewall');
  });

  it.each([
    ['rollback', 0, 'rolled-back'],
    ['resume', 5, 'rolled-back'],
  ])('%s ends a killed migration after which a firewall started', async (command, code, outcome) => {
    const running = own.vnm.start(`migrate two --to ${other()}`);
    await running.said('- verify\n');
    running.kill();
    await running.finished;
    protect('shut', 'h1', 'h2');
    const ended = await own.vnm.json<MigrateResult>(`${command} two`);
    expect(ended).toMatchObject({ code, json: { outcome, unproven: bothPairs } });
    for (const node of ['h1', 'h2']) open(node);
    expect(await verify()).toMatchObject({ code: 0 });
  });
});
