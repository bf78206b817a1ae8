/** Connects to the real agent, on a node that is a network namespace of its own. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { VnmError } from '../../src/model/errors.ts';
import { agentBundle } from '../../src/transport/agent-bundle.ts';
import { type AgentConnection, type AgentTarget, connectAgent } from '../../src/transport/agent-connection.ts';
import { forgetAgent, listAgents } from '../../src/transport/agent-list.ts';
import { encodePolicy, policySchema } from '../../src/vsys/policy.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';
import { makeKeyPair, startSshServer, type TestServer } from '../support/ssh-server.ts';
import { temporaryHome } from '../support/temporary-home.ts';

const policy = policySchema.parse({
  slice: 'demo',
  vnet: '10.65.0.0/16',
  interfacePrefix: 'pv001-',
  namespacePrefix: `${uniqueName('pvt')}-`,
  table: 50_001,
  rulePriority: 10_001,
  nexthops: { first: 65_536, last: 131_071 },
  vnis: { first: 4096, last: 8191 },
});

describeAsRoot('the real agent', () => {
  const namespace = uniqueName('pvt');
  const home = temporaryHome();
  const node = mkdtempSync(join(tmpdir(), 'pl-vnm-node-'));
  const clientKey = makeKeyPair();
  const inside = ['ip', 'netns', 'exec', namespace];
  const serve = (before: readonly string[]) =>
    startSshServer({
      hostKeys: [makeKeyPair()],
      clientKey,
      environment: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, PL_VNM_DIR: node },
      before,
      forwards: true,
    });
  let server: TestServer;

  beforeAll(async () => {
    execFileSync('ip', ['netns', 'add', namespace]);
    mkdirSync(join(home.path, '.ssh'));
    writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private);
    server = await serve(inside);
  });
  afterAll(async () => {
    try {
      await endAgent();
    } finally {
      await server.close();
      execFileSync('ip', ['netns', 'del', namespace]);
      rmSync(node, { recursive: true, force: true });
      home.restore();
    }
  });

  const connect = (brought = policy, agentDirectory = node, { port } = server): Promise<AgentConnection> => {
    const place = { node: 'n1', host: '127.0.0.1', port, user: 'root' };
    const target: AgentTarget = { ...place, slice: 'demo', agentDirectory };
    return connectAgent(target, { acceptNewHostKeys: true, policy: brought });
  };
  const isRunning = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  async function endAgent(): Promise<void> {
    const connection = await connect();
    const { pid } = connection.facts.agent;
    await connection.call('shutdown', {});
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 20_000 });
    connection.close();
  }

  it('the agent is started once, and outlives its connections', async () => {
    const { digest, version } = await agentBundle();
    const first = await connect();
    expect(first.facts).toMatchObject({ agent: { digest, version }, policy });
    const second = await connect();
    expect(second.facts.agent).toEqual(first.facts.agent);
    first.close();
    expect(await second.call('inventory', {})).toMatchObject({ namespaces: [], interfaces: [] });
    const lost = new Promise<VnmError | undefined>((resolve) => second.onClose(resolve));
    server.drop();
    expect(await lost).toMatchObject({ code: 'unreachable' });
    const third = await connect();
    expect(third.facts.agent).toEqual(first.facts.agent);
    third.close();
  });

  it('a running agent is reached by its socket, without a command on the node', async () => {
    const first = await connect();
    const before = server.commands.length;
    const second = await connect();
    expect(second.facts).toEqual(first.facts);
    expect(server.commands.slice(before)).toEqual([]);
    // An end of the agent ends the channel, too.
    const lost = new Promise<VnmError | undefined>((resolve) => second.onClose(resolve));
    process.kill(first.facts.agent.pid, 'SIGKILL');
    expect(await lost).toMatchObject({ code: 'unreachable' });
    first.close();
  });

  it('an agent whose socket is not where it was expected is attached to', async () => {
    const first = await connect();
    const before = server.commands.length;
    const second = await connect(policy, join(node, 'elsewhere'));
    expect(second.facts.agent).toEqual(first.facts.agent);
    const [survey, attach, ...others] = server.commands.slice(before);
    expect([survey, attach, others]).toEqual([
      expect.stringMatching(/^sh -s -- demo /),
      expect.stringContaining(' attach --slice demo '),
      [],
    ]);
    first.close();
    second.close();
  });

  it('an agent is started without attach, in a session of its own', async () => {
    await endAgent();
    const starts = () => server.commands.filter((command) => command.includes('/run demo ')).length;
    const attached = () => server.commands.filter((command) => command.includes(' attach ')).length;
    const before = [starts(), attached()];
    const connection = await connect();
    expect([starts(), attached()]).toEqual([before[0]! + 1, before[1]]);
    const { pid } = connection.facts.agent;
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    expect(statSync(join(node, 'run')).mode & 0o777).toBe(0o700);
    expect(statSync(join(node, 'run', 'demo.log')).mode & 0o777).toBe(0o600);
    // It has a session of its own, which no end of the login's reaches.
    const [, session] = /\) \S \d+ \d+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!;
    expect(Number(session)).toBe(pid);
    connection.close();
  });

  it('an agent is started by attach where the login has left a file open, and does not inherit it', async () => {
    await endAgent();
    const other = await serve([...inside, 'sh', '-c', 'exec 9</etc/hostname; exec "$@"', 'sh']);
    try {
      const connection = await connect(policy, node, other);
      expect(other.commands.filter((command) => command.includes(' attach '))).toHaveLength(1);
      const files = `/proc/${connection.facts.agent.pid}/fd`;
      expect(readdirSync(files).map((fd) => readlinkSync(join(files, fd)))).not.toContain('/etc/hostname');
      connection.close();
    } finally {
      await other.close();
    }
  });

  it('the agent leaves no policy after a mere inspection, but one that binds others while something is installed', async () => {
    const file = join(node, 'policy', 'demo.json');
    const looked = await connect();
    await looked.call('collisions', {});
    expect([looked.facts.policyFile, existsSync(join(node, 'policy'))]).toEqual([false, false]);
    looked.close();
    // Meanwhile the slice file has changed.
    const changed = { ...policy, vnet: '10.99.0.0/16' };
    const again = await connect(changed);
    expect(again.facts.policy).toEqual(changed);
    await again.call('apply', { operations: [{ op: 'rule_up' }] });
    expect(policySchema.parse(JSON.parse(readFileSync(file, 'utf8')))).toEqual(changed);
    const other = await connect();
    expect(other.facts).toMatchObject({ policy: changed, policyFile: true });
    other.close();
    await again.call('apply', { operations: [{ op: 'rule_down' }] });
    expect(existsSync(file)).toBe(false);
    again.close();
  });

  it('a slice is listed, and forgotten where nothing is installed', async () => {
    const target = { node: 'n1', host: '127.0.0.1', port: server.port, user: 'root' };
    const options = { acceptNewHostKeys: true };
    const connection = await connect();
    const { pid } = connection.facts.agent;
    const { slice, vnet } = policy;
    expect(await listAgents(target, options)).toEqual([{ slice, vnet, installed: [], pid }]);
    await connection.call('apply', { operations: [{ op: 'rule_up' }] });
    const [listed] = await listAgents(target, options);
    const rules = ['rule from 10.65.0.0/16 lookup 50001', 'rule from all to 10.65.0.0/16 lookup 50001'];
    const file = join(node, 'policy', 'demo.json');
    expect(listed).toEqual({ slice, vnet, policy: file, by: 'controller', installed: rules, pid });
    await expect(forgetAgent(target, options, slice)).rejects.toMatchObject({
      code: 'conflict',
      message: `slice 'demo' still has something on node 'n1' (127.0.0.1:${server.port}): ${rules.join(', ')}`,
    });
    await connection.call('apply', { operations: [{ op: 'rule_down' }] });
    // An earlier version left it behind.
    mkdirSync(join(node, 'policy'), { recursive: true });
    writeFileSync(file, JSON.stringify(policy));
    expect(await forgetAgent(target, options, slice)).toBe(true);
    expect([existsSync(file), existsSync(join(node, 'lib'))]).toEqual([false, false]);
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 20_000 });
    expect(await listAgents(target, options)).toEqual([]);
    expect(await forgetAgent(target, options, slice)).toBe(false);
    connection.close();
  });

  it('an agent of another version is replaced', async () => {
    await endAgent();
    const { code, digest } = await agentBundle();
    const older = join(node, 'lib', 'agent-older.mjs');
    writeFileSync(older, `${code}// older\n`);
    const attach = [process.execPath, older, 'attach', '--slice', policy.slice, '--policy', encodePolicy(policy)];
    const environment = { ...process.env, PL_VNM_DIR: node };
    execFileSync('ip', ['netns', 'exec', namespace, ...attach], { env: environment, input: '' });
    const log = readFileSync(join(node, 'run', 'demo.log'), 'utf8');
    const olderPid = Number([...log.matchAll(/ pid (\d+)/g)].at(-1)![1]);
    expect(isRunning(olderPid)).toBe(true);

    const connection = await connect();
    expect(connection.facts.agent.digest).toBe(digest);
    expect(connection.facts.agent.pid).not.toBe(olderPid);
    connection.close();
    await vi.waitFor(() => expect(isRunning(olderPid)).toBe(false), { timeout: 20_000 });
  });
});
