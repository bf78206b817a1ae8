/** Tests how the agent starts, is shared, and is found again. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 20_000 };

describeAsRoot('the agent', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode();
  });
  afterAll(() => node.remove());

  const pidOf = async ({ client }: { client: AgentNode['client'] extends () => infer C ? C : never }) =>
    (await client.call('hello', {})).agent.pid;

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  it('the agent prints its version and digest', () => {
    const file = join(node.directory, 'agent.mjs');
    const said = JSON.parse(execFileSync(process.execPath, [file, 'version'], { encoding: 'utf8' }));
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(said).toEqual({ version, digest: createHash('sha256').update(readFileSync(file)).digest('hex') });
  });

  it('the agent starts once, however many clients come at the same time', async () => {
    const attached = Array.from({ length: 6 }, () => node.attach());
    const pids = await Promise.all(attached.map(pidOf));
    expect(new Set(pids).size).toBe(1);
    expect(agentLog(node).match(/serving slice/g)).toHaveLength(1);
    for (const { client, ended } of attached) {
      client.close();
      expect(await ended).toBe(0);
    }
    expect(isAlive(pids[0]!)).toBe(true);
  });

  it('the agent answers who it is and what the node can do', async () => {
    const facts = await node.client().call('hello', {});
    expect(facts.policy).toEqual(node.policy);
    expect(facts.plane).toBe('kernel');
    expect(facts.agent.node).toBe(process.version);
    expect(facts.features.map(({ name }) => name)).toEqual([
      'root',
      'vxlan',
      'nexthop-groups',
      'resilient-groups',
      'ifb-gate',
      'tunnel-filter',
      'control-packets',
      'nexthop-compat-off',
      'rp-filter',
      'realtime',
      'capture',
      'machine',
      'bird',
      'frr',
      'openvswitch',
      'criu',
    ]);
    expect(facts.features.filter(({ available }) => !available).every(({ detail }) => detail !== undefined)).toBe(true);
    expect(await node.inventory()).toMatchObject({ namespaces: [] });
  });

  it('the agent stops streams when the channel closes that began them', async () => {
    const [link, mac, address] = [{ interface: 'pv001-g0' }, '02:50:0a:41:00:00', '10.65.0.1'];
    await node.apply([
      { op: 'tunnel_up', kind: 'vxlan', ...link, mac, mtu: 1400, vni: 5000, remote: '192.0.2.9', port: 4790 },
      { op: 'vif_up', ...link, address, peer: { address: '10.65.0.2', mac } },
    ]);
    const stream = 'aa00';
    const { port } = await node.client().call('stream_open', { stream, address });
    const { client, ended } = node.attach();
    const flow = { stream, from: address, to: address, port, payloadBytes: 100, rateBps: 1e6 };
    await client.call('stream_send', flow);
    const sent = async () => (await node.client().call('stream_report', { stream })).sent;
    const before = await sent();
    await expect.poll(sent, patience).toBeGreaterThan(before);
    client.close();
    expect(await ended).toBe(0);
    await vi.waitFor(async () => {
      const now = await sent();
      await sleep(100);
      expect(await sent()).toBe(now);
    }, patience);
    await node.client().call('stream_report', { stream, close: true });
    await node.apply([{ op: 'tunnel_down', ...link }]);
  });

  it('the agent allows only root to access its socket and log', () => {
    const mode = (path: string) => statSync(path).mode & 0o777;
    const run = join(node.directory, 'run');
    expect([mode(run), mode(join(run, 'test.sock')), mode(join(run, 'test.log'))]).toEqual([0o700, 0o600, 0o600]);
  });

  it('the agent outlives a client that is killed in the middle of a message, and a hang-up', async () => {
    const attached = node.attach();
    const pid = await pidOf(attached);
    const call = attached.client.call('apply', { operations: [] });
    attached.process.kill('SIGKILL');
    await expect(call).rejects.toMatchObject({ code: 'unreachable' });
    process.kill(pid, 'SIGHUP');
    expect(await pidOf(node.attach())).toBe(pid);
  });

  it('the agent answers garbage on one channel, and serves the others', async () => {
    const pid = await pidOf({ client: node.client() });
    const socket = connect(join(node.directory, 'run', 'test.sock'));
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^Content-Length: /);
    await once(socket, 'close');
    expect(await pidOf({ client: node.client() })).toBe(pid);
    await expect
      .poll(() => agentLog(node), patience)
      .toMatch(/closed: expected a message with Content-Length, got "GET \/ HTTP/);
  });

  it('the agent logs what it does, one line each', async () => {
    await node.apply([{ op: 'rule_up' }]);
    await expect(node.apply([{ op: 'tunnel_down', interface: 'eth0' }])).rejects.toThrow();
    const lines = agentLog(node).trim().split('\n').slice(-2);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z apply rule_up x1: done in [\d.]+ ms$/);
    expect(lines[1]).toMatch(/ apply tunnel_down x1: failed after [\d.]+ ms: interface 'eth0' does not belong/);
  });

  it('an agent that starts after its predecessor was killed finds what is installed', async () => {
    const router = node.router('a');
    const attached = node.attach();
    const { client } = attached;
    await client.call('apply', { operations: [{ op: 'netns_up', namespace: router, urpf: 'strict' }] });
    const before = await client.call('inventory', {});
    const pid = await pidOf(attached);
    process.kill(pid, 'SIGKILL');
    await attached.ended;
    const again = node.attach();
    expect(await pidOf(again)).not.toBe(pid);
    expect(await again.client.call('inventory', {})).toEqual(before);
    expect(before).toMatchObject({ namespaces: [router], rules: true });
  });

  it('the agent shuts down on request, and another can start at once', async () => {
    const attached = node.attach();
    const pid = await pidOf(attached);
    expect(await attached.client.call('shutdown', {})).toEqual({});
    const [next] = await Promise.all([
      attached.ended.then(() => pidOf(node.attach())),
      expect.poll(() => isAlive(pid), patience).toBe(false),
    ]);
    expect(next).not.toBe(pid);
    const last = node.attach();
    process.kill(await pidOf(last), 'SIGTERM');
    expect(await last.ended).toBe(0);
    expect(agentLog(node)).toMatch(/shutting down: requested by a client\n/);
    expect(agentLog(node)).toMatch(/shutting down: received SIGTERM\n/);
  });

  it('the agent finishes the batch in progress before it shuts down', async () => {
    const attached = node.attach();
    const pid = await pidOf(attached);
    const operations = Array.from({ length: 5000 }, (_, index) => ({
      op: 'vroute' as const,
      action: 'add' as const,
      prefix: `10.65.${index >> 8}.${index & 255}/32`,
      type: 'blackhole' as const,
    }));
    const before = (await attached.client.call('inventory', {})).routes.length;
    const applied = attached.client.call('apply', { operations }).catch(() => {});
    await attached.client.call('clock', {});
    process.kill(pid, 'SIGTERM');
    await Promise.all([applied, attached.ended]);
    const again = node.attach();
    const after = (await again.client.call('inventory', {})).routes.length;
    expect([before, before + operations.length]).toContain(after);
    await again.client.call('shutdown', {});
    await again.ended;
  });

  it('the agent says why it does not start', async () => {
    const policy = join(node.directory, 'policy', 'test.json');
    const text = readFileSync(policy, 'utf8');
    rmSync(policy);
    const attached = node.attach();
    await expect(attached.client.call('hello', {})).rejects.toMatchObject({ code: 'unreachable' });
    expect(await attached.ended).toBe(1);
    expect(attached.stderr()).toBe(
      `the agent did not start: this node has no policy for slice 'test' (${policy}) (ask the administrator of the node to run \`pl-vnm agent install\`)\n`,
    );
    expect(text).not.toBe('');
  });

  it.each([
    [['attach'], 'usage: agent attach --slice NAME | daemon --slice NAME | host --slice NAME --address A | version\n'],
    [['attach', '--slice', '../x'], 'invalid slice name "../x"\n'],
    [['destroy'], 'usage: agent attach --slice NAME | daemon --slice NAME | host --slice NAME --address A | version\n'],
  ])('the agent refuses the arguments %j', (words, message) => {
    const file = join(node.directory, 'agent.mjs');
    const run = () => execFileSync(process.execPath, [file, ...words], { encoding: 'utf8', stdio: 'pipe' });
    expect(run).toThrow(expect.objectContaining({ status: 2, stderr: message }));
  });
});
