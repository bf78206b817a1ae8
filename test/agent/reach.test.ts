import { execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kernelEndpoints } from '../../src/agent/dataplane/kernel/endpoints.ts';
import { reach } from '../../src/agent/reach.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';

const here = '127.62.4.1';

describe('reach on loopback', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });

  /** Binds all ports that a probe may choose on an address. */
  async function listen(address: string, answer: boolean): Promise<void> {
    for (let port = 33_434; port < 33_534; port += 1) {
      const socket = createSocket('udp4');
      sockets.push(socket);
      if (answer) socket.on('message', (_probe, from) => socket.send('here', from.port, from.address));
      socket.bind(port, address);
      await once(socket, 'listening');
    }
  }

  it('reach counts a closed port as an answer', async () => {
    expect(await reach(kernelEndpoints, { from: here, to: ['127.62.4.2'], timeoutMs: 20_000 })).toEqual({
      answered: [true],
    });
  });

  it('reach counts a reply as an answer', async () => {
    await listen('127.62.4.3', true);
    expect(await reach(kernelEndpoints, { from: here, to: ['127.62.4.3'], timeoutMs: 20_000 })).toEqual({
      answered: [true],
    });
  });

  describeAsRoot('with ICMP echo', () => {
    it('reach counts an echo reply as an answer where UDP packets are swallowed', async () => {
      await listen('127.62.4.4', false);
      expect(await reach(kernelEndpoints, { from: here, to: ['127.62.4.4'], timeoutMs: 20_000 })).toEqual({
        answered: [true],
      });
    });
  });

  it('reach fails when it cannot send from the address', async () => {
    await expect(reach(kernelEndpoints, { from: '192.0.2.1', to: [here, here], timeoutMs: 100 })).rejects.toMatchObject(
      {
        code: 'not-found',
        message: '192.0.2.1 is not an address of this node',
      },
    );
  });
});

describeAsRoot('reach over routers', () => {
  const [host, near, far] = [uniqueName('rch'), uniqueName('rcn'), uniqueName('rcf')];
  const ip = (...words: string[]) => execFileSync('ip', words);

  /** host 10.9.1.1 - 10.9.1.2 near 10.9.2.1 - 10.9.2.2 far, which also owns 10.9.3.3; no node has 10.9.2.9. */
  beforeAll(() => {
    for (const namespace of [host, near, far]) ip('netns', 'add', namespace);
    link([host, 'veth1', '10.9.1.1/24'], [near, 'veth0', '10.9.1.2/24']);
    link([near, 'veth1', '10.9.2.1/24'], [far, 'veth0', '10.9.2.2/24']);
    for (const router of [near, far]) {
      execFileSync('ip', ['netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    }
    ip('-n', far, 'link', 'set', 'lo', 'up');
    ip('-n', far, 'address', 'add', '10.9.3.3/32', 'dev', 'lo');
    ip('-n', near, 'route', 'add', '10.9.3.0/24', 'via', '10.9.2.2');
    ip('-n', far, 'route', 'add', 'default', 'via', '10.9.2.1');
    ip('-n', host, 'route', 'add', '10.9.2.0/24', 'via', '10.9.1.2');
    ip('-n', host, 'route', 'add', '10.9.3.0/24', 'via', '10.9.1.2');
  });

  afterAll(() => {
    const existing = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
    for (const name of [host, near, far]) if (existing.includes(name)) ip('netns', 'delete', name);
  });

  type End = readonly [namespace: string, device: string, address: string];
  function link(a: End, b: End): void {
    ip('-n', a[0], 'link', 'add', a[1], 'type', 'veth', 'peer', 'name', b[1], 'netns', b[0]);
    for (const [namespace, name, address] of [a, b]) {
      ip('-n', namespace, 'address', 'add', address, 'dev', name);
      ip('-n', namespace, 'link', 'set', name, 'up');
    }
  }

  const source = (file: string) => JSON.stringify(new URL(`../../src/agent/${file}`, import.meta.url).href);
  const script = `
    const { reach } = await import(${source('reach.ts')});
    const { kernelEndpoints } = await import(${source('dataplane/kernel/endpoints.ts')});
    process.stdout.write('asking ');
    process.stdout.write(JSON.stringify(await reach(kernelEndpoints, JSON.parse(process.argv[1]))));`;

  /** Runs `reach` in the host's namespace; `meanwhile` runs when it has begun. */
  async function reachFromHost(
    to: string[],
    timeoutMs: number,
    { meanwhile, bytes }: { meanwhile?: () => void; bytes?: number } = {},
  ): Promise<unknown> {
    const question = JSON.stringify({ from: '10.9.1.1', to, timeoutMs, bytes });
    const node = [process.execPath, '--input-type=module', '-e', script, question];
    const child = spawn('ip', ['netns', 'exec', host, ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let output = '';
      child.stdout.once('data', () => meanwhile?.());
      child.stdout.on('data', (text) => {
        output += text;
      });
      await once(child, 'close');
      return JSON.parse(output.replace('asking ', ''));
    } finally {
      child.kill();
    }
  }

  it('reach gets an answer from each router that owns an address, and none from an address without an owner', async () => {
    const to = ['10.9.1.2', '10.9.2.1', '10.9.2.9', '10.9.2.2', '10.9.3.3'];
    expect(await reachFromHost(to, 2000)).toEqual({ answered: [true, true, false, true, true] });
  });

  it('reach gets no answer without a route, and one as soon as there is a route', async () => {
    ip('-n', far, 'address', 'add', '10.9.4.4/32', 'dev', 'lo');
    ip('-n', near, 'route', 'add', '10.9.4.4/32', 'via', '10.9.2.2');
    expect(await reachFromHost(['10.9.4.4'], 500)).toEqual({ answered: [false] });
    const addRoute = () => ip('-n', host, 'route', 'add', '10.9.4.4/32', 'via', '10.9.1.2');
    expect(await reachFromHost(['10.9.4.4'], 10_000, { meanwhile: addRoute })).toEqual({ answered: [true] });
  });

  it('reach gets an answer to an echo request where UDP packets go unanswered, and a separate one for each address', async () => {
    const answers = () =>
      execFileSync('ip', [
        'netns',
        'exec',
        far,
        'sysctl',
        '-qw',
        'net.ipv4.icmp_ratelimit=1000',
        'net.ipv4.icmp_ratemask=6168',
      ]);
    // Port unreachables wait for an hour after the first few; echo replies do not wait.
    execFileSync('ip', ['netns', 'exec', far, 'sysctl', '-qw', 'net.ipv4.icmp_ratelimit=3600000']);
    try {
      for (let turn = 0; turn < 8; turn += 1) await reachFromHost(['10.9.2.2'], 100);
      expect(await reachFromHost(['10.9.2.2', '10.9.2.9'], 1000)).toEqual({ answered: [true, false] });
    } finally {
      answers();
    }
  });

  it("reach sends packets of the requested size with Don't Fragment, however often it is called", async () => {
    ip('-n', near, 'link', 'set', 'veth1', 'mtu', '1300');
    try {
      expect(await reachFromHost(['10.9.2.2'], 1000, { bytes: 1300 })).toEqual({ answered: [true] });
      // The router says what it can carry, and the host's kernel remembers: fragments would get through.
      expect(await reachFromHost(['10.9.2.2'], 500, { bytes: 1301 })).toEqual({ answered: [false] });
      expect(await reachFromHost(['10.9.2.2'], 500, { bytes: 1301 })).toEqual({ answered: [false] });
    } finally {
      ip('-n', near, 'link', 'set', 'veth1', 'mtu', '1500');
    }
  });
});
