import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedDown } from '../../src/testbed/down.ts';
import type { Testbed } from '../../src/testbed/record.ts';
import { testbedStatus } from '../../src/testbed/status.ts';
import { testbedUp } from '../../src/testbed/up.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { sliceOf, uniqueId } from './support.ts';
import type { Answers } from './tunnel-peer.ts';

const tunnelPeer = fileURLToPath(new URL('tunnel-peer.ts', import.meta.url));
const latencyMs = 20;

describeAsRoot('a VXLAN tunnel between two nodes with a latency', () => {
  let parent: string;
  let testbed: Testbed;
  let server: ChildProcess;
  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'testbed-'));
    const slice = sliceOf(['a', 'b'], [['a', 'b', latencyMs]]);
    testbed = await testbedUp([slice], { id: uniqueId(), directory: join(parent, 'testbed'), server: 'embedded' });
    addTunnel(0, 1);
    addTunnel(1, 0);
    server = spawn('nsenter', enter(1, [process.execPath, tunnelPeer, 'serve']), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(server.stdout!, 'data');
  });
  afterAll(async () => {
    server?.kill();
    await testbedDown(testbed);
    await rm(parent, { recursive: true });
  });

  test('the relay is alive', async () => {
    expect((await testbedStatus(testbed)).relay).toBe('alive');
  });

  test('a tunnel carries UDP and TCP with the right bytes, in order, and not before their time', async () => {
    const ask = enter(0, [process.execPath, tunnelPeer, 'ask', overlayAddress(1)]);
    const { shortestRoundTripMs, ...answers }: Answers = JSON.parse((await promisify(execFile)('nsenter', ask)).stdout);
    expect(answers).toEqual({ datagramsSent: 300, datagramsRight: 300, inOrder: true, streamRight: true });
    // The relay may be half a millisecond early, each way.
    expect(shortestRoundTripMs).toBeGreaterThanOrEqual(2 * latencyMs - 1);
    expect(await readFile(join(testbed.directory, 'relay.log'), 'utf8')).toBe('');
  });

  function addTunnel(from: number, to: number): void {
    const remote = testbed.nodes[to]?.address as string;
    const vxlan = ['type', 'vxlan', 'id', '77', 'remote', remote, 'dstport', '4789', 'nolearning'];
    const commands = [
      ['link', 'add', 'tunnel', 'address', macAddress(from), 'mtu', '1500', ...vxlan],
      ['address', 'add', `${overlayAddress(from)}/24`, 'dev', 'tunnel'],
      ['link', 'set', 'tunnel', 'up'],
      // Otherwise the first packets would wait for ARP across the latency, and only a few can.
      ['neighbour', 'add', overlayAddress(to), 'lladdr', macAddress(to), 'dev', 'tunnel'],
    ];
    for (const command of commands) execFileSync('nsenter', enter(from, ['ip', ...command]));
  }

  function macAddress(index: number): string {
    return `02:50:0a:41:00:0${index + 1}`;
  }

  function overlayAddress(index: number): string {
    return `10.65.0.${index + 1}`;
  }

  function enter(index: number, command: readonly string[]): string[] {
    return [`--net=/run/netns/${testbed.nodes[index]?.namespace}`, '--', ...command];
  }
});
