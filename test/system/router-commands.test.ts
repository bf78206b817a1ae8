/** Programs in routers, and captures of their links, on nodes of the user's own. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { CaptureResult } from '../../src/controller/capture.ts';
import { processesNaming } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { packetsOf, readBlocks } from '../support/pcapng.ts';
import { describeWithProgram } from '../support/programs.ts';

const text = `slice: inner
vnet: 10.67.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, g1: {}, g2: {}, h1: {}, h2: {} }
vn:
  name: vn
  routers: [a, b]
  links: [[a, b]]
  gateways: { ga: { node: g1, router: a }, gb: { node: g2, router: b } }
  endHosts: { ea: { node: h1, gateway: ga }, eb: { node: h2, gateway: gb } }
  flows: []
placements:
  initial: { a: p1, b: p2 }
  final: { a: p3, b: p2 }
`;
/** Of the end host eb. */
const address = '10.67.0.3';

const patience = { timeout: 60_000 };
vi.setConfig({ testTimeout: 120_000 });

describeWithProgram('tcpdump', 'a router', () => {
  const own = ownTestbed(
    (directory) => {
      const file = join(directory, 'inner.yaml');
      writeFileSync(file, text);
      return file;
    },
    '--dataplane',
    'kernel',
  );
  const at = (router: string, ...command: string[]) => own.vnm.run(`exec inner ${router} --`, ...command);
  const start = (router: string, ...command: string[]) => own.vnm.start(`exec inner ${router} --`, ...command);
  const file = (name: string) => join(own.vnm.directory, name);
  const blocksOf = (name: string) => readBlocks(readFileSync(file(name)));
  const ping = (count: number) => own.vnm.run(`exec inner ea -- ping -c ${count} -i 0.2 -W 10 ${address}`);

  describe('a command', () => {
    it('sees the network of its router only, as root', async () => {
      await own.vnm.ok('install', file('inner.yaml'));
      const { code, stdout } = await at('a', 'sh', '-c', 'id -u; ls /proc/sys/net/ipv4/conf');
      expect(code).toBe(0);
      const [user, ...interfaces] = stdout.trim().split('\n');
      expect(user).toBe('0');
      expect(interfaces.filter((name) => !name.startsWith('pv')).sort()).toEqual(['all', 'default', 'lo']);
      expect(interfaces.length).toBe(5);
    });

    it('has its own exit code and outputs', async () => {
      expect((await at('a', 'sh', '-c', 'exit 37')).code).toBe(37);
      expect((await at('a', 'sh', '-c', 'kill -TERM $$')).code).toBe(143);
      expect((await at('router:a', 'no-such-program')).code).toBe(127);
      const words = ['sh', '-c', 'echo out; echo err >&2; exit 5', "it's", '', 'a\nb'];
      const { code, json } = await own.vnm.json('exec inner a --', ...words);
      expect([code, json]).toEqual([5, { command: words, exitCode: 5, stdout: 'out\n', stderr: 'err\n' }]);
    });

    it('gets any bytes, and passes them on', async () => {
      const bytes = randomBytes(1_000_000);
      const running = start('a', 'cat');
      running.stdin.end(bytes);
      await running.finished;
      const summing = start('a', 'sha256sum');
      summing.stdin.end(bytes);
      expect((await summing.finished).stdout).toBe(`${createHash('sha256').update(bytes).digest('hex')}  -\n`);
    });

    it('ends by Ctrl-C, and what it says then is passed on', async () => {
      const script = 'trap "echo got it; exit" INT; echo ready >&2; while :; do sleep 0.1; done';
      const running = start('a', 'sh', '-c', script);
      await running.said('ready');
      running.interrupt();
      expect(await running.finished).toMatchObject({ code: 130, stdout: 'got it\n' });
    });

    it('ends with what it started when its controller is killed', async () => {
      const running = start('a', 'sh', '-c', 'sleep 98761 & echo ready >&2; sleep 98762');
      await running.said('ready');
      running.kill();
      await running.finished;
      await expect.poll(() => processesNaming('sleep 9876'), patience).toEqual([]);
    });
  });

  describe('a capture', () => {
    it('has the packets of both directions, and ends after the given number', async () => {
      const running = own.vnm.start('--json capture inner a --link b -w both.pcapng --count 4');
      await running.said('capturing on the link');
      expect((await ping(3)).stdout).toContain('3 received');
      const { code, stdout } = await running.finished;
      expect(code).toBe(0);
      const result = JSON.parse(stdout) as CaptureResult & { file: string };
      expect(result).toMatchObject({
        kind: 'router',
        name: 'a',
        link: 'b',
        node: 'p1',
        packets: 4,
        dropped: 0,
        file: 'both.pcapng',
      });
      const blocks = blocksOf('both.pcapng');
      expect(blocks.map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 6, 6, 6, 6, 5]);
      expect(blocks[1]!.options.get(2)!.toString()).toBe('a-b');
      const packets = packetsOf(blocks);
      // To the other router, and from it.
      expect(packets.map(({ direction }) => direction)).toEqual([2, 1, 2, 1]);
      expect(packets.map(({ data }) => data[34])).toEqual([8, 0, 8, 0]);
      const times = packets.map(({ timestampNs }) => timestampNs);
      expect(times).toEqual(times.toSorted((x, y) => Number(x - y)));
      expect(times.some((time) => time % 1000n !== 0n)).toBe(true);
      // As tcpdump reads it.
      const read = execFileSync('tcpdump', ['-n', '-r', file('both.pcapng')], { encoding: 'utf8', stdio: 'pipe' });
      expect(read.match(/ICMP echo re(quest|ply)/g)).toEqual(
        ['quest', 'ply', 'quest', 'ply'].map((how) => `ICMP echo re${how}`),
      );
    });

    it('takes the given part of each packet', async () => {
      const running = own.vnm.start('capture inner b --link gb -w part.pcapng --count 2 --snaplen 64');
      await running.said('capturing on the link');
      await ping(1);
      expect((await running.finished).code).toBe(0);
      expect(packetsOf(blocksOf('part.pcapng')).map(({ data, originalBytes }) => [data.length, originalBytes])).toEqual(
        [
          [64, 98],
          [64, 98],
        ],
      );
    });

    it('ends by Ctrl-C with a complete file', async () => {
      const running = own.vnm.start('capture inner a --link ga -w interrupted.pcapng');
      await running.said('capturing on the link');
      await ping(1);
      running.interrupt();
      expect(await running.finished).toMatchObject({
        code: 0,
        stdout: "2 packets of the link from 'a' to 'ga' written to interrupted.pcapng\n",
      });
      expect(blocksOf('interrupted.pcapng').map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 6, 6, 5]);
    });

    it('ends after the given time, and may go to a pipe', async () => {
      await own.vnm.runTo(file('piped.pcapng'), 'capture inner a --link b -w - --seconds 1');
      expect(blocksOf('piped.pcapng').map(({ type }) => type)).toEqual(expect.arrayContaining([0x0a0d0d0a, 1, 5]));
    });

    it('ends when its controller is killed, and leaves nothing on the node', async () => {
      const running = own.vnm.start('capture inner a --link b -w killed.pcapng --snaplen 98764');
      await running.said('capturing on the link');
      expect(processesNaming('-s 98764')).not.toEqual([]);
      running.kill();
      await running.finished;
      await expect.poll(() => processesNaming('-s 98764'), patience).toEqual([]);
      expect(blocksOf('killed.pcapng').map(({ type }) => type)).toEqual([0x0a0d0d0a, 1]);
    });

    it('a disk without room is one error, and nothing keeps running', async () => {
      const { code, stdout, stderr } = await own.vnm.run('capture inner a --link b -w /dev/full --snaplen 98765');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toBe(
        'pl-vnm: cannot write /dev/full: ENOSPC: no space left on device, write\n' +
          '  hint: give another path with -w, with room for the packets\n',
      );
      await expect.poll(() => processesNaming('-s 98765'), patience).toEqual([]);
    });

    it('a link that the router has not is refused, and no file is made', async () => {
      const { code, stderr } = await own.vnm.run('capture inner a --link gb -w none.pcapng');
      expect([code, stderr]).toEqual([1, "pl-vnm: router 'a' has no link to 'gb'\n  hint: its links lead to b, ga\n"]);
      expect(existsSync(file('none.pcapng'))).toBe(false);
    });
  });

  it('a command and a capture end when their router leaves the node', async () => {
    const sleeping = start('a', 'sh', '-c', 'echo ready >&2; exec sleep 98763');
    const hidden = start('a', 'sh', '-c', 'setsid sleep 98766 & echo ready >&2; wait');
    const capturing = own.vnm.start('capture inner a --link ga -w moved.pcapng');
    await Promise.all([sleeping.said('ready'), hidden.said('ready'), capturing.said('capturing on the link')]);
    await own.vnm.ok('migrate inner --to final --urpf feasible');
    expect((await sleeping.finished).code).toBe(137);
    expect((await hidden.finished).code).toBe(137);
    expect((await capturing.finished).code).toBe(1);
    readBlocks(readFileSync(file('moved.pcapng')));
    await expect.poll(() => processesNaming('sleep 9876'), patience).toEqual([]);
    expect((await at('a', 'true')).code).toBe(0);
  });
});
