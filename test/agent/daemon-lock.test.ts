/** The lock of a slice's agent on a system without `flock`, and an agent that is started there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commandPath } from '../../src/model/command-path.ts';
import { agentBundle } from '../../src/transport/agent-bundle.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { createRpcClient } from '../../src/vsys/rpc.ts';
import { testPolicy } from '../support/agent-node.ts';
import { elsewhere } from '../support/elsewhere.ts';
import { freePorts } from '../support/free-ports.ts';

let directory: string;
const children: ChildProcess[] = [];
/** Processes of agents, which outlive the children that start them. */
const agents = new Set<number>();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-lock-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const pid of agents) process.kill(pid, 'SIGKILL');
  agents.clear();
  rmSync(directory, { recursive: true });
});

const [nexthop, group] = [65_536, 65_537];
const link = { interface: 'pv001-x', mtu: 1400, vni: 4097, instance: 1, key: '0123456789abcdef' };
const operations: OperationInput[] = [
  { op: 'tunnel_up', kind: 'udp', ...link, remote: '192.0.2.1', port: 4001 },
  { op: 'vif_up', interface: link.interface, address: '10.65.0.1', peer: { address: '10.65.0.2' } },
  { op: 'nexthop_up', id: nexthop, interface: link.interface, via: '10.65.0.2' },
  { op: 'group_up', id: group, members: [nexthop], active: nexthop, resilient: true },
];

/** A process that takes the lock, says whether it has it, and stays. */
async function taker(): Promise<{ child: ChildProcess; hasLock: boolean }> {
  const module = join(import.meta.dirname, '../../src/agent/daemon-lock.ts');
  const script = `import { takeLock } from ${JSON.stringify(module)};
    process.stdout.write(String(await takeLock(${JSON.stringify(join(directory, 'held'))})));
    setInterval(() => {}, 60_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [said] = await once(child.stdout!, 'data');
  return { child, hasLock: String(said) === 'true' };
}

it('of several processes one has the lock, until it ends', async () => {
  const all = await Promise.all([taker(), taker(), taker()]);
  const holders = all.filter(({ hasLock }) => hasLock);
  expect(holders).toHaveLength(1);
  expect((await taker()).hasLock).toBe(false);
  holders[0]!.child.kill('SIGKILL');
  await once(holders[0]!.child, 'exit');
  expect((await taker()).hasLock).toBe(true);
});

it('what a process that was killed while it took the lock has left, is in the way for some seconds only', async () => {
  const mark = join(directory, 'held.taking');
  mkdirSync(mark);
  expect((await taker()).hasLock).toBe(false);
  utimesSync(mark, 0, 0);
  // The first one removes the mark.
  expect((await taker()).hasLock).toBe(false);
  expect((await taker()).hasLock).toBe(true);
  expect(existsSync(mark)).toBe(false);
});

it('one agent starts where there is neither flock nor /proc, and another one when that was killed', async () => {
  const file = join(directory, 'agent.mjs');
  const bin = join(directory, 'bin');
  const [port] = await freePorts(1);
  const policy = { ...testPolicy('n_'), userspace: { address: '127.0.0.1', port } };
  for (const each of [bin, join(directory, 'policy')]) mkdirSync(each);
  writeFileSync(join(directory, 'policy', 'test.json'), JSON.stringify(policy), { mode: 0o644 });
  writeFileSync(file, (await agentBundle()).code);
  // What every system has; nothing of util-linux.
  for (const command of ['sh', 'env']) symlinkSync(commandPath(command)!, join(bin, command));

  /** The agent's process, whose timing thread works, too. */
  async function attachedTo(): Promise<number> {
    const child = spawn(process.execPath, [file, 'attach', '--slice', 'test'], {
      env: { PATH: bin, PL_VNM_DIR: directory, NODE_OPTIONS: elsewhere },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.push(child);
    const complaint = text(child.stderr);
    const client = createRpcClient(child.stdout, child.stdin);
    try {
      const { agent } = await client.call('hello', {});
      agents.add(agent.pid);
      await client.call('apply', { operations });
      const actions = [{ kind: 'redirect' as const, offsetMs: 0, groups: [{ id: group, active: nexthop }] }];
      await client.call('arm', { id: 'dry', at: Date.now(), actions, dryRun: true });
      return agent.pid;
    } catch (error) {
      client.close();
      throw new Error(await complaint, { cause: error });
    } finally {
      client.close();
    }
  }

  const pids = await Promise.all([attachedTo(), attachedTo(), attachedTo()]);
  expect(new Set(pids).size).toBe(1);
  expect(existsSync(join(directory, 'run', 'test.lock'))).toBe(false);
  process.kill(pids[0]!, 'SIGKILL');
  agents.delete(pids[0]!);
  expect(pids).not.toContain(await attachedTo());
});
