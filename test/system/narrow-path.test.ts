/** Paths that silently carry less than interfaces allow: install, migrate and verify find them with packets. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import { narrowNode } from '../../src/testbed/underlay.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

/** The two-node slice with a tenth of its latencies, and this MTU. */
function sliceFile(directory: string, mtu?: number): string {
  const path = join(directory, `narrow-${mtu}.yaml`);
  const text = readFileSync(gallery('two-node'), 'utf8').replace(/(\[\w+, \w+, )(\d+)0(?=\])/g, '$1$2');
  writeFileSync(path, mtu === undefined ? text : text.replace('  name: two\n', `  name: two\n  mtu: ${mtu}\n`));
  return path;
}

/** The cable carries outer packets of 1404 bytes, including 50 bytes of tunnel headers. */
const [cableMtu, carried] = [1400, 1354];

describeAsRoot('a narrow path', () => {
  const own = ownTestbed((directory) => sliceFile(directory));
  const narrow = (node: string) => narrowNode(own.testbed, node, cableMtu);
  const widen = (node: string) => narrowNode(own.testbed, node);
  const install = (mtu?: number) =>
    own.vnm.json<{ vns: InstallResult[] }>(`install ${sliceFile(own.vnm.directory, mtu)}`);
  const verify = () => own.vnm.json<VerifyResult>('verify two');

  it('a VN gets the MTU that its narrowest tunnel carries', async () => {
    await narrow('n1');
    const { json, stderr } = await install();
    expect(json).toMatchObject({ vns: [{ mtu: carried }] });
    expect(stderr).toContain(`at most ${carried} bytes between`);
    expect(await verify()).toMatchObject({ code: 0, json: { ok: true } });
    await own.vnm.ok('uninstall two');
    await widen('n1');
  });

  it('a migration to a narrow path is refused with the sizes before anything is redirected', async () => {
    expect((await install()).json).toMatchObject({ vns: [{ mtu: 1500 }] });
    await narrow('n3');
    const { code, json } = await own.vnm.json<MigrateResult>('migrate two --to final --traffic');
    expect({ code, outcome: json.outcome, lost: json.flows.map(({ lost }) => lost) }).toEqual({
      code: 5,
      outcome: 'rolled-back',
      lost: json.flows.map(() => 0),
    });
    expect(json.error).toContain(`at most ${carried} bytes between`);
    expect(json.error).toContain('with its full size (1500 bytes)');
  });

  it('a migration to a path that becomes narrow after the redirection is rolled back', async () => {
    await widen('n3');
    const running = own.vnm.start('migrate two --to final');
    await running.said('- verify\n');
    running.kill();
    await running.finished;
    await narrow('n3');
    const { code, json } = await own.vnm.json<MigrateResult>('resume two');
    expect({ code, outcome: json.outcome, unproven: json.unproven }).toEqual({ code: 5, outcome: 'rolled-back' });
    expect(json.error).toContain(`with packets of 1500 bytes (${carried} bytes get through)`);
  });

  it('verify shows the place of a narrow path, with the size that gets through', async () => {
    expect(await verify()).toMatchObject({ code: 0, json: { ok: true } });
    await narrow('n1');
    const { code, json } = await verify();
    expect({ code, ok: json.ok }).toEqual({ code: 1, ok: false });
    for (const pair of json.pairs) {
      expect(pair).toMatchObject({ reachable: true, lostBytes: 1500, carriesBytes: carried });
      expect(pair.stopsAt).toMatch(/n1/);
    }
  });

  it('a VN with a small mtu in the slice file works over a narrow path, and a larger mtu is undone', async () => {
    expect((await install(carried)).json).toMatchObject({ vns: [{ mtu: carried }] });
    expect(await verify()).toMatchObject({ code: 0 });
    const tooLarge = await own.vnm.run(`install ${sliceFile(own.vnm.directory, carried + 1)}`);
    expect(tooLarge.code).toBe(1);
    expect(tooLarge.stderr).toContain(`set 'mtu: ${carried}'`);
    expect(await verify()).toMatchObject({ code: 0 });
    expect(await own.vnm.json<MigrateResult>('migrate two --to final')).toMatchObject({ code: 0 });
    expect(await verify()).toMatchObject({ code: 0 });
  });

  it('an end host gets ICMP messages from every hop, and about hosts that do not exist', () => {
    const [own1, own2] = ['10.64.0.1', '10.64.0.3'];
    const hops = [1, 2, 3, 4, 5].map((ttl) => answerTo(own.namespace('h1'), own1, own2, ttl));
    expect(hops.map(({ type }) => type)).toEqual(['11/0', '11/0', '11/0', '11/0', '0/0']);
    expect(hops[0]!.from).toBe('10.64.0.0');
    expect(hops[4]!.from).toBe(own2);
    expect(new Set(hops.map(({ from }) => from)).size).toBe(5);
    for (const unowned of ['10.64.9.9', '10.64.255.130']) {
      expect(answerTo(own.namespace('h1'), own1, unowned, 64)).toEqual({ type: '3/1', from: '10.64.0.0' });
    }
  });
});

/** Sends an ICMP echo request from an end host's own stack. Returns the sender and `type/code` of the answer. */
function answerTo(namespace: string, from: string, to: string, ttl: number): { type: string; from: string } {
  const args = ['netns', 'exec', namespace, 'perl', '-e', askOnce, from, to, String(ttl)];
  const [type = '', answerer = ''] = execFileSync('ip', args, { encoding: 'utf8' }).trim().split(' ');
  return { type, from: answerer };
}

/** Prints type/code and the sender of the first answer within five seconds. */
const askOnce = `use Socket; my ($from, $to, $ttl) = @ARGV;
socket(my $s, PF_INET, SOCK_RAW, 1) or die; bind($s, sockaddr_in(0, inet_aton($from))) or die;
setsockopt($s, 0, 2, pack('i', $ttl)) or die;
send($s, pack('CCnnn', 8, 0, 0xf7ff - 7, 0, 7), 0, sockaddr_in(0, inet_aton($to)));
for (1 .. 50) {
  vec(my $ready = '', fileno($s), 1) = 1;
  select($ready, undef, undef, 0.1) > 0 or next;
  my $peer = recv($s, my $packet, 65535, 0); my ($type, $code) = unpack('x20 CC', $packet);
  next if $type == 8;
  print "$type/$code ", inet_ntoa((sockaddr_in($peer))[1]); last;
}`;
