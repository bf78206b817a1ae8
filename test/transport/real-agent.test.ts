/** The way to the agent that is really delivered, on a node that is a network namespace of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { VnmError } from '../../src/model/errors.ts';
import { agentBundle } from '../../src/transport/agent-bundle.ts';
import { type AgentConnection, type AgentTarget, connectAgent } from '../../src/transport/agent-connection.ts';
import { policySchema } from '../../src/vsys/policy.ts';
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
  let server: TestServer;

  beforeAll(async () => {
    execFileSync('ip', ['netns', 'add', namespace]);
    const clientKey = makeKeyPair();
    mkdirSync(join(home.path, '.ssh'));
    writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private);
    server = await startSshServer({
      hostKeys: [makeKeyPair()],
      clientKey,
      environment: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, PL_VNM_DIR: node },
      before: ['ip', 'netns', 'exec', namespace],
    });
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

  const connect = (): Promise<AgentConnection> => {
    const target: AgentTarget = { node: 'n1', host: '127.0.0.1', port: server.port, user: 'root', slice: 'demo' };
    return connectAgent(target, { acceptNewHostKeys: true, policy });
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

  it('is started once, and outlives its connections', async () => {
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

  it('is replaced when it is another version', async () => {
    await endAgent();
    const { code, digest } = await agentBundle();
    const older = join(node, 'lib', 'agent-older.mjs');
    writeFileSync(older, `${code}// older\n`);
    const attach = [process.execPath, older, 'attach', '--slice', policy.slice];
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
