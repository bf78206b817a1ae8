/** Terminals, shells, pings, traces and captures at routers, gateways and end hosts, on nodes of the user's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { CaptureResult } from '../../src/controller/capture.ts';
import type { PingResult } from '../../src/controller/ping.ts';
import type { TraceResult } from '../../src/controller/trace.ts';
import { processesNaming } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { packetsOf, readBlocks } from '../support/pcapng.ts';
import { builtProgram } from '../support/program.ts';
import { describeWithProgram } from '../support/programs.ts';
import { inTerminal, scriptInTerminal } from '../support/terminal.ts';

const text = `slice: within
vnet: 10.69.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, g1: {}, g2: {}, h1: {}, h2: {} }
vn:
  name: vn
  routers: [a, b]
  links: [[a, b]]
  gateways: { ga: { node: g1, router: a }, gb: { node: g2, router: b } }
  endHosts: { ea: { node: h1, gateway: ga }, eb: { node: h2, gateway: gb } }
  flows: []
placements:
  initial: { a: p1, b: p2 }
`;
/** Of the end hosts. */
const addresses = { ea: '10.69.0.1', eb: '10.69.0.3' };
const size = { rows: 30, columns: 90 };
const patience = { timeout: 60_000 };
vi.setConfig({ testTimeout: 120_000 });

describeWithProgram('tcpdump', 'inside a VN', () => {
  const own = ownTestbed(
    (directory) => {
      const file = join(directory, 'within.yaml');
      writeFileSync(file, text);
      return file;
    },
    '--dataplane',
    'kernel',
  );
  const at = (place: string, ...command: string[]) => own.vnm.run(`exec within ${place} --`, ...command);
  const file = (name: string) => join(own.vnm.directory, name);
  const blocksOf = (name: string) => readBlocks(readFileSync(file(name)));
  const ping = (from: string, to: string) => own.vnm.ok<PingResult>(`ping within ${from} ${to} -c 2`);

  describe('a gateway', () => {
    it('runs programs in the network of its node, as the login', async () => {
      await own.vnm.ok('install', file('within.yaml'));
      const { code, stdout } = await at('ga', 'sh', '-c', 'ls /proc/sys/net/ipv4/conf; exit 4');
      expect(code).toBe(4);
      // Its access link and its link into the instance, next to what the node has.
      expect(stdout.split('\n').filter((name) => name.startsWith('pv') && !name.includes('ifb'))).toHaveLength(2);
      expect(stdout).toContain('\neth0\n');
    });

    it('an unknown place is refused with all that there are', async () => {
      for (const command of ['exec within x -- true', 'shell within x', 'ping within x ea', 'ping within ea x']) {
        const { code, stderr } = await own.vnm.run(command);
        if (command.startsWith('shell')) expect([code, stderr]).toEqual([2, expect.stringContaining('not a terminal')]);
        else expect([code, stderr]).toEqual([1, expect.stringContaining("has no router, gateway or end host 'x'")]);
      }
    });
  });

  describe('ping', () => {
    it.each([
      ['ea', 'eb'],
      ['ea', 'b'],
      ['ea', 'gb'],
      ['ea', 'ga'],
      ['ga', 'eb'],
      ['ga', 'ea'],
      ['ga', 'gb'],
      ['gb', 'a'],
      ['a', 'b'],
      ['a', 'eb'],
      ['b', 'ga'],
    ])('%s reaches %s', async (from, to) => {
      const result = await ping(from, to);
      expect(result).toMatchObject({ sent: 2, received: 2, replies: [{ sequence: 1 }, { sequence: 2 }] });
      expect(result.address).toMatch(/^10\.69\./);
    });

    it('prints what ping prints', async () => {
      const { code, stdout, stderr } = await own.vnm.run('ping within ea eb -c 1');
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`64 bytes from ${addresses.eb}: icmp_seq=1 ttl=60 `);
      expect(stdout).toContain('1 packets transmitted, 1 received');
    });

    it('exits with 1 if nothing comes back, and trace says where it ends', async () => {
      expect((await at('b', 'ip', 'route', 'add', 'blackhole', `${addresses.eb}/32`)).code).toBe(0);
      try {
        expect(await own.vnm.json('ping within ea eb -c 1')).toMatchObject({ code: 1, json: { sent: 1, received: 0 } });
        const { code, stdout } = await own.vnm.run('trace within ea eb');
        expect(code).toBe(1);
        expect(stdout).toMatch(
          /^ 1 {2}gateway ga \(10\.69\.\S+\) {2}\S+ ms\n 2 {2}router a \(10\.69\.\S+\) {2}\S+ ms\n 3 {2}\*\n 4 {2}\*\n/,
        );
        expect(stdout).toContain(
          `no packet reaches end host 'eb' (${addresses.eb}): the last hop that answers is number 2\n`,
        );
      } finally {
        await at('b', 'ip', 'route', 'del', 'blackhole', `${addresses.eb}/32`);
      }
    });
  });

  describe('trace', () => {
    it.each([
      ['ea', 'eb', ['gateway ga', 'router a', 'router b', 'gateway gb', 'end host eb']],
      ['ga', 'b', ['router a', 'router b']],
      ['b', 'ea', ['router a', 'gateway ga', 'end host ea']],
      ['ea', 'ga', ['gateway ga']],
    ])('from %s to %s names every hop', async (from, to, names) => {
      const { reached, hops } = await own.vnm.ok<TraceResult>(`trace within ${from} ${to}`);
      expect(hops.map(({ kind, name }) => `${kind} ${name}`)).toEqual(names);
      expect(hops.map(({ hop }) => hop)).toEqual(names.map((_name, index) => index + 1));
      expect(hops.filter(({ rttMs }) => rttMs === undefined)).toEqual([]);
      expect(reached).toBe(true);
    });

    it('prints a line for each hop', async () => {
      const { stdout } = await own.vnm.run('trace within a eb');
      expect(stdout).toMatch(
        /^ 1 {2}router b \(\S+\) {2}\S+ ms\n 2 {2}gateway gb \(\S+\) {2}\S+ ms\n 3 {2}end host eb \(10\.69\.0\.3\) {2}\S+ ms\n$/,
      );
    });
  });

  describe.each(['a', 'ga', 'ea'])('a terminal at %s', (place) => {
    // It hung once in some fifteen runs, for a cause that is not known. It fails when it hangs twice in a row, and each
    // time says what it has seen.
    it('has the size, follows its changes, and gets Ctrl-C', { retry: 1 }, async () => {
      const loop = 'echo "$TERM at $(tty)"; while :; do stty size; sleep 0.1; done';
      const words = ['exec', 'within', place, '--', 'sh', '-c', loop];
      const running = scriptInTerminal(own.vnm, size, '"$@"; echo "code $?"; stty -a', ...words);
      await running.showed(/xterm at \/dev\/pts\/\d+\r\n30 90\r\n/);
      running.resize({ rows: 41, columns: 101 });
      await running.showed('\n41 101\r\n');
      running.type('\x03');
      const { code, output } = await running.finished;
      expect(code).toBe(0);
      expect(output).toContain('code 130');
      expect(output).not.toContain('interrupted');
      // The own terminal is as it was.
      expect(output.slice(output.indexOf('code 130'))).toMatch(/[^-]icanon.*[^-]echo /s);
    });

    it('a shell runs what is typed, and passes its exit code on', async () => {
      const running = inTerminal(own.vnm, size, 'shell', 'within', place);
      // What is typed before the shell reads waits in the terminal.
      running.type('echo "is $((40 + 2))"; test -t 0 && exit 7\n');
      await running.showed('is 42');
      expect((await running.finished).code).toBe(7);
    });

    it('the own terminal is restored, and nothing stays, when the program gets SIGTERM', async () => {
      const script = '"$@"; echo "code $?"; stty -a';
      const words = ['exec', 'within', place, '--', 'sh', '-c', 'echo ready; exec sleep 98781'];
      const running = scriptInTerminal(own.vnm, size, script, ...words);
      await running.showed('ready');
      const mine = processesNaming('exec sleep 98781').filter(({ command }) => command.includes(own.vnm.database));
      const program = mine.find(({ command }) => /^\S*node /.test(command))!;
      process.kill(program.pid, 'SIGTERM');
      const { output } = await running.finished;
      expect(output.slice(output.indexOf('code 130'))).toMatch(/[^-]icanon.*[^-]echo /s);
      await expect.poll(() => processesNaming('sleep 98781'), patience).toEqual([]);
    });
  });

  it('without a terminal there is none, unless it is asked for', async () => {
    expect((await at('a', 'tty')).stdout).toBe('not a tty\n');
    const { code, stderr } = await own.vnm.run('exec --tty within a -- true');
    expect([code, stderr]).toEqual([2, 'pl-vnm: stdin is not a terminal\n  hint: leave out --tty\n']);
    const running = inTerminal(own.vnm, size, 'exec', '--no-tty', 'within', 'a', '--', 'tty');
    expect((await running.finished).output).toContain('not a tty');
  });

  describe('a capture', () => {
    it.each([
      ['ga --link ea', 'g1', [8, 0, 8, 0]],
      ['ga --link a', 'g1', [8, 0, 8, 0]],
      ['ea', 'h1', [8, 0, 8, 0]],
    ])('at %s has the packets of both directions', async (words, node, types) => {
      const running = own.vnm.start(`--json capture within ${words} -w edge.pcapng --count 4`);
      await running.said('capturing on the link');
      await ping('ea', 'eb');
      const { code, stdout } = await running.finished;
      expect(code).toBe(0);
      expect(JSON.parse(stdout) as CaptureResult).toMatchObject({ node, packets: 4, dropped: 0 });
      expect(packetsOf(blocksOf('edge.pcapng')).map(({ data }) => data[34])).toEqual(types);
    });

    it('a pipe gets each packet as it comes, and a reader that is gone ends it, also without packets', async () => {
      const mark = '98782';
      const program = `${process.execPath} ${builtProgram()} --db ${own.vnm.database}`;
      const command = `${program} capture within ga --link ea -w - --snaplen ${mark} | tcpdump -l -n -r - -c 2`;
      const piping = spawn('sh', ['-c', command], {
        env: { ...process.env, HOME: join(own.vnm.directory, 'home') },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [read, said] = ['', ''];
      piping.stdout.on('data', (data: Buffer) => {
        read += data;
      });
      piping.stderr.on('data', (data: Buffer) => {
        said += data;
      });
      const finished = once(piping, 'close');
      await vi.waitFor(() => expect(said).toContain('capturing on the link'), patience);
      await own.vnm.ok('ping within ea eb -c 1');
      // tcpdump has its two packets, and no more come.
      const [code] = await finished;
      expect([code, read.match(/ICMP echo re(quest|ply)/g)]).toEqual([0, ['ICMP echo request', 'ICMP echo reply']]);
      await expect.poll(() => processesNaming(`-s ${mark}`), patience).toEqual([]);
      expect(said).not.toContain('pl-vnm:');
    });

    it('a pipe that is interrupted has a whole file', async () => {
      const running = own.vnm.start('capture within ea -w -');
      await running.said('capturing on the link');
      await ping('ea', 'eb');
      running.interrupt();
      const { code, stderr } = await running.finished;
      expect([code, stderr]).toEqual([0, expect.stringContaining('4 packets of the link from ')]);
    });

    it('a link that the gateway has not is refused', async () => {
      const { code, stderr } = await own.vnm.run('capture within ga --link b -w none.pcapng');
      expect([code, stderr]).toEqual([1, "pl-vnm: gateway 'ga' has no link to 'b'\n  hint: its links lead to a, ea\n"]);
    });
  });
});
