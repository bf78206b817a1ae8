import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRpcClient } from '../../src/vsys/rpc.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

/** Sets everything that a shell can pass on. Hard limits stay: root could not raise them in every container. */
const traps = `
cd "$1"; shift
umask 000
ulimit -S -c unlimited
ulimit -S -n 64
ulimit -S -t 3600
ulimit -S -f 1000000
trap '' HUP INT TERM PIPE USR1
exec 9</etc/hostname
echo 700 >/proc/self/oom_score_adj
exec nice -n 7 ionice -c 3 chrt -b 0 taskset -c 0 "$@"
`;

describeAsRoot('an agent started with bad inherited settings', () => {
  let node: AgentNode;
  let pid: number;
  beforeAll(async () => {
    node = await startAgentNode();
    const command = [process.execPath, join(node.directory, 'agent.mjs'), 'attach', '--slice', 'test'];
    const shell = ['sh', '-c', traps, 'sh', node.directory, ...command];
    const child = spawn('nsenter', [`--net=/run/netns/${node.namespace}`, '--', ...shell], {
      env: { ...process.env, PL_VNM_DIR: node.directory },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const client = createRpcClient(child.stdout, child.stdin);
    pid = (await client.call('hello', {})).agent.pid;
    expect(readlinkSync(`/proc/${child.pid}/cwd`)).toBe('/');
    client.close();
    await once(child, 'close');
  });
  afterAll(() => node.remove());

  const status = (name: string) =>
    new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
  const softLimit = (name: string) =>
    new RegExp(`^Max ${name} +(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))![1]!;
  /** Returns a field of stat, counted from the end, after the name in parentheses (proc(5)). */
  const statField = (number: number) =>
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[number - 3]!;

  it('an agent runs in the root directory with the usual umask, and writes no core dump', () => {
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    expect(Number.parseInt(status('Umask'), 8)).toBe(0o022);
    expect(softLimit('core file size')).toBe('0');
  });

  it('an agent has the usual limits, or logs which it lacks', () => {
    expect(softLimit('cpu time')).toBe('unlimited');
    expect(softLimit('file size')).toBe('unlimited');
    expect(Number(softLimit('open files'))).toBeGreaterThan(64);
    const isShort = Number(softLimit('open files')) < 4096;
    expect(agentLog(node).includes('inherited from the login: resource limits: Max open files')).toBe(isShort);
  });

  it('an agent has the usual priority, policy and processors', () => {
    expect(Number(statField(19))).toBe(0);
    expect(Number(statField(41))).toBe(0);
    expect(status('Cpus_allowed_list')).toBe(
      /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/1/status', 'utf8'))![1],
    );
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('0');
  });

  it('an agent has no file of the login open, and ends on a signal', () => {
    const files = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
    expect(files).not.toContain('/etc/hostname');
    const ignored = BigInt(`0x${status('SigIgn')}`);
    for (const signal of [1, 2, 15]) expect((ignored >> BigInt(signal - 1)) & 1n).toBe(0n);
    expect(BigInt(`0x${status('SigBlk')}`)).toBe(0n);
  });

  it('an agent is a separate session, without a terminal', () => {
    expect(Number(statField(7))).toBe(0);
    expect(Number(statField(6))).not.toBe(process.pid);
  });
});
