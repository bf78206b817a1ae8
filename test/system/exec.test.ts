/** Programs at end hosts, on both data planes. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { InstallResult } from '../../src/controller/install.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { PingResult } from '../../src/controller/ping.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { TraceResult } from '../../src/controller/trace.ts';
import type { Running } from '../support/command-line.ts';
import { type OwnTestbed, ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot, describeInUserNamespaces } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';
import { inTerminal } from '../support/terminal.ts';

const file = gallery('three-node');
const node = process.execPath;
/** Of the end hosts ea and eb. */
const addresses = { ea: '10.65.0.1', eb: '10.65.0.3' };
const port = 5001;

/** Says when it listens, then prints the SHA-256 of what the first client sends. */
const server = `require('net').createServer((socket) => {
  const hash = require('crypto').createHash('sha256');
  socket.on('data', (data) => hash.update(data)).on('end', () => {
    console.log(hash.digest('hex'));
    process.exit();
  });
}).listen(${port}, () => console.error('listening'));`;
/** Sends its input. */
const client = `process.stdin.pipe(require('net').connect(${port}, '${addresses.eb}'));`;

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface ExecDocument {
  readonly command: string[];
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function isAnEndHost(own: OwnTestbed): void {
  const at = (host: string, ...command: string[]) => own.vnm.run(`exec three ${host} --`, ...command);
  const start = (host: string, ...command: string[]): Running => own.vnm.start(`exec three ${host} --`, ...command);

  it('is refused before the VN is installed', async () => {
    expect((await at('ea', 'true')).stderr).toMatch(/there is no slice 'three'|is not installed/);
    await own.vnm.ok<{ vns: InstallResult[] }>('install', file);
  });

  it('an unknown name is refused with the names of the others', async () => {
    const { code, stderr } = await at('e9', 'true');
    expect([code, stderr]).toEqual([
      1,
      "pl-vnm: slice 'three' has no router, gateway or end host 'e9'\n" +
        '  hint: its routers are a, b, c; its gateways are ga, gb, gc; its end hosts are ea, eb, ec\n',
    ]);
  });

  it('another end host answers its ping', async () => {
    const { code, stdout, stderr } = await at('ea', 'ping', '-c', '1', '-W', '10', addresses.eb);
    expect(stderr).toBe('');
    expect(stdout).toContain(`1 received`);
    expect(code).toBe(0);
  });

  it('ping and trace reach another end host from there', async () => {
    const pinged = await own.vnm.ok<PingResult>('ping three ea eb -c 2');
    expect(pinged).toMatchObject({ address: addresses.eb, sent: 2, received: 2 });
    const { hops, reached } = await own.vnm.ok<TraceResult>('trace three ea eb');
    expect(reached).toBe(true);
    expect(hops.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'gateway ga',
      'router a',
      'router b',
      'gateway gb',
      'end host eb',
    ]);
    expect(hops.every(({ rttMs }) => rttMs !== undefined)).toBe(true);
  });

  it('exit codes are those of the command', async () => {
    expect((await at('ea', 'sh', '-c', 'exit 37')).code).toBe(37);
    expect((await at('ea', 'no-such-program')).code).toBe(127);
    const document = await own.vnm.json<ExecDocument>('exec three ea --', 'sh', '-c', 'echo out; echo err >&2; exit 5');
    expect(document.code).toBe(5);
    expect(document.json).toEqual({
      command: ['sh', '-c', 'echo out; echo err >&2; exit 5'],
      exitCode: 5,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('arguments arrive as they were given', async () => {
    const words = ['two  words', "it's", '"$HOME" `id` $(id)', 'a\nb', '*', '', '--', '-v'];
    const { stdout } = await at('ea', node, '-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--', ...words);
    expect(JSON.parse(stdout)).toEqual(words);
  });

  it('input and output may be any bytes', async () => {
    const bytes = randomBytes(100_000);
    const output = join(own.vnm.directory, 'output');
    const running = start('ea', 'sha256sum');
    running.stdin.end(bytes);
    expect((await running.finished).stdout).toBe(`${sha256(bytes)}  -\n`);
    const every = `process.stdout.write(Buffer.from(Array.from({ length: 256 }, (_, index) => index)))`;
    await own.vnm.runTo(output, 'exec three ea --', node, '-e', every);
    expect([...readFileSync(output)]).toEqual(Array.from({ length: 256 }, (_, index) => index));
  });

  it('Ctrl-C ends the command on the node', async () => {
    const running = start(
      'ea',
      'sh',
      '-c',
      'trap "echo got it; exit" INT; echo ready >&2; while :; do sleep 0.1; done',
    );
    await running.said('ready');
    running.interrupt();
    const { code, stdout } = await running.finished;
    expect([code, stdout]).toEqual([130, 'got it\n']);
  });

  it('a TCP connection between two end hosts keeps every byte while the VN migrates, and the VN is verified', async () => {
    const receiving = start('eb', node, '-e', server);
    await receiving.said('listening');
    const sending = start('ea', node, '-e', client);
    const hash = createHash('sha256');
    let isMigrating = true;
    const feeding = (async () => {
      let bytes = 0;
      while (isMigrating || bytes < 3_000_000) {
        const chunk = randomBytes(50_000);
        hash.update(chunk);
        bytes += chunk.length;
        await new Promise((resolve) => sending.stdin.write(chunk, resolve));
        if (isMigrating) await new Promise((resolve) => setTimeout(resolve, 50));
      }
      sending.stdin.end();
    })();
    const { outcome } = await own.vnm.ok<MigrateResult>('migrate three --to final --urpf feasible');
    const verified = await own.vnm.ok<VerifyResult>('verify three');
    isMigrating = false;
    await feeding;
    expect(await sending.finished).toMatchObject({ code: 0, stderr: '' });
    expect((await receiving.finished).stdout).toBe(`${hash.digest('hex')}\n`);
    expect(outcome).toBe('completed');
    expect(verified.pairs.filter(({ reachable }) => !reachable)).toEqual([]);
  });
}

describeAsRoot('a command at an end host in the kernel', () => {
  isAnEndHost(ownTestbed(file, '--dataplane', 'kernel'));
});

describeInUserNamespaces('a command at an end host in user space', () => {
  const own = ownTestbed(file, '--dataplane', 'userspace');
  isAnEndHost(own);

  it('a second command at the same end host is refused while the first runs', async () => {
    const first = own.vnm.start('exec three ea --', 'sh', '-c', 'echo ready >&2; cat');
    await first.said('ready');
    const { code, stderr } = await own.vnm.run('exec three ea --', 'true');
    expect([code, stderr]).toEqual([
      1,
      "pl-vnm: node 'ha': another command runs at the end host with the address 10.65.0.1\n" +
        '  hint: wait until it has ended, or let one shell run all commands: exec SLICE HOST -- sh\n',
    ]);
    first.stdin.end();
    expect((await first.finished).code).toBe(0);
    expect((await own.vnm.run('exec three ea --', 'true')).code).toBe(0);
  });

  it.each([
    ["router 'a'", 'p4', 'a --link b'],
    ["gateway 'ga'", 'ga', 'ga --link a'],
  ])('%s is refused with what works instead', async (what, at, words) => {
    const reason =
      `pl-vnm: ${what} is code in the agent of node '${at}' (userspace data plane): it has no network namespace\n` +
      '  hint: look at it with pl-vnm status three --live or pl-vnm counters three\n';
    const [name] = words.split(' ');
    const commands = [
      `exec three ${name} -- true`,
      `ping three ${name} ea`,
      `trace three ${name} ea`,
      `capture three ${words} -w packets.pcapng`,
    ];
    for (const command of commands) {
      const { code, stderr } = await own.vnm.run(command);
      expect([code, stderr]).toEqual([1, reason]);
    }
  });

  it('a program in a terminal there has its size and its exit code', async () => {
    const running = inTerminal(
      own.vnm,
      { rows: 30, columns: 90 },
      'exec',
      'three',
      'ea',
      '--',
      'sh',
      '-c',
      'stty size; exit 9',
    );
    expect(await running.finished).toMatchObject({ code: 9, output: expect.stringContaining('30 90\r\n') });
  });

  it('a TCP connection to an end host where no command runs is refused', async () => {
    const connect = `require('net').connect(81, '${addresses.eb}').on('error', ({ code }) => console.log(code));`;
    expect((await own.vnm.run('exec three ea --', node, '-e', connect)).stdout).toBe('ENOPROTOOPT\n');
  });

  it('what the command leaves behind ends with it', async () => {
    const script = 'sleep 1000 >/dev/null 2>&1 </dev/null & echo $!';
    const { stdout } = await own.vnm.run('exec three ea --', 'sh', '-c', script);
    await expect.poll(() => isAlive(Number(stdout)), { timeout: 60_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
