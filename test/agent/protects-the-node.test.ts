/** Tests what the agent refuses to install, and what it undoes, on a node with a separate network. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const patience = { timeout: 20_000 };
const rules: OperationInput = { op: 'rule_up' };
const mac = '02:50:0a:41:00:00';
const tunnel: OperationInput = {
  op: 'tunnel_up',
  ...{ kind: 'vxlan', interface: 'pv001-g0', mac, mtu: 1400, vni: 5000, remote: '10.66.0.9', port: 4790 },
};

describeAsRoot('a node', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode();
    node.ip('addr add 192.0.2.1/32 dev lo');
  });
  afterAll(() => node.remove());
  const ownRules = () => node.ip('-4 rule show priority 10001').split('\n').filter(Boolean);

  it('a node refuses the first things of a slice that would take its addresses, and names them', async () => {
    node.ip('addr add 10.65.1.1/24 dev lo');
    node.ip('route add blackhole 10.0.0.0/8 table 77');
    const words = "address 10.65.1.1/24 of interface 'lo'; entry 10.0.0.0/8 (table 77)";
    const refusal = {
      code: 'conflict',
      message: `slice 'test' (vnet 10.65.0.0/16) collides with what this node uses: ${words}`,
      hint: 'nothing was changed there; choose another vnet or number for the slice',
    };
    const router: OperationInput = { op: 'netns_up', namespace: node.router('a'), urpf: 'strict' };
    for (const operation of [rules, router]) await expect(node.apply([operation])).rejects.toMatchObject(refusal);
    expect(await node.inventory()).toMatchObject({ namespaces: [], rules: false });
    expect(await node.client().call('collisions', {})).toMatchObject({ collisions: [{}, {}], installed: false });
    node.ip('addr del 10.65.1.1/24 dev lo');
    node.ip('route del blackhole 10.0.0.0/8 table 77');
    expect(await node.client().call('collisions', {})).toEqual({ collisions: [], installed: false });
  });

  it('a node compares while no other slice installs its first things', async () => {
    const lock = join(node.directory, 'run');
    const other = spawn('flock', [lock, 'sh', '-c', 'echo has it; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    const applied = node.apply([rules]);
    // The other slice's agent compares, and finds nothing of this one.
    await sleep(300);
    expect(ownRules()).toEqual([]);
    node.ip('addr add 10.65.1.1/24 dev lo');
    other.stdin.end();
    await expect(applied).rejects.toMatchObject({ code: 'conflict' });
    expect(ownRules()).toEqual([]);
    node.ip('addr del 10.65.1.1/24 dev lo');
    await node.apply([rules]);
    await node.apply([{ op: 'rule_down' }]);
  });

  it('a node keeps working with what is installed, whatever has collided with it since', async () => {
    await node.apply([rules]);
    node.ip('addr add 10.65.1.1/24 dev lo');
    const link = { interface: 'pv001-g0' };
    expect(await node.apply([rules, { ...tunnel, remote: '192.0.2.9' }])).toEqual(['unchanged', 'changed']);
    await node.apply([{ op: 'tunnel_down', ...link }, { op: 'rule_down' }]);
    node.ip('addr del 10.65.1.1/24 dev lo');
  });

  it('a node undoes rules, with their batch, when the controller does not confirm that it got the answer', async () => {
    const { raw } = node.attach();
    const { confirm } = await raw.call('apply', {
      operations: [rules, { ...tunnel, remote: '192.0.2.9' }],
      confirmWithinMs: 300,
    });
    await expect.poll(ownRules, patience).toEqual([]);
    await expect.poll(() => node.inventory(), patience).toMatchObject({ interfaces: [], routes: [], rules: false });
    await expect(raw.call('confirm', { token: confirm!.token })).rejects.toMatchObject({
      code: 'failed',
      message: 'the node undid the changes: the controller did not confirm them within 0.3 s',
    });
    expect(agentLog(node)).toContain('undid changes that were not confirmed in time');
  });

  it('a node keeps what was confirmed, even by a later controller', async () => {
    const { raw } = node.attach();
    await raw.call('apply', { operations: [rules], confirmWithinMs: 1500 });
    // The first controller was killed. This one finds everything as it should be, and confirms.
    expect(await node.apply([rules])).toEqual(['unchanged']);
    const again = await raw.call('apply', { operations: [rules], confirmWithinMs: 100 });
    expect(again.confirm).toBeUndefined();
    expect(ownRules()).toHaveLength(2);
    // Nothing in it can cut the connection.
    const { confirm } = await raw.call('apply', { operations: [{ ...tunnel, remote: '192.0.2.9' }] });
    expect(confirm).toBeUndefined();
    const removal: OperationInput[] = [{ op: 'tunnel_down', interface: 'pv001-g0' }, { op: 'rule_down' }];
    expect((await raw.call('apply', { operations: removal })).confirm).toBeUndefined();
  });

  it('a node undoes what is not confirmed when its agent shuts down', async () => {
    const attached = node.attach();
    const { pid } = (await attached.raw.call('hello', {})).agent;
    await attached.raw.call('apply', { operations: [rules] });
    expect(ownRules()).toHaveLength(2);
    process.kill(pid, 'SIGTERM');
    await attached.ended;
    expect(ownRules()).toEqual([]);
  });

  it('a node undoes what is not confirmed when its agent was killed, as soon as the next one starts', async () => {
    const killed = async (attached: ReturnType<AgentNode['attach']>) => {
      process.kill((await attached.raw.call('hello', {})).agent.pid, 'SIGKILL');
      await attached.ended;
    };
    const first = node.attach();
    const router: OperationInput = { op: 'netns_up', namespace: node.router('a'), urpf: 'strict' };
    await first.raw.call('apply', { operations: [rules, router], confirmWithinMs: 600_000 });
    const pending = join(node.directory, 'run', 'test.pending');
    expect(existsSync(pending)).toBe(true);
    await killed(first);
    expect(ownRules()).toHaveLength(2);

    const second = node.attach();
    expect(await second.raw.call('inventory', {})).toMatchObject({ namespaces: [], rules: false });
    expect([ownRules(), existsSync(pending)]).toEqual([[], false]);
    expect(agentLog(node)).toContain('undid changes that were not confirmed in time');

    // What was confirmed stays.
    await second.client.call('apply', { operations: [rules] });
    await killed(second);
    const third = node.attach();
    expect(await third.client.call('inventory', {})).toMatchObject({ rules: true });
    await third.client.call('apply', { operations: [{ op: 'rule_down' }] });
  });

  it('a node ignores a slice that has a policy and nothing installed, and names one that collides', async () => {
    const other = {
      ...node.policy,
      ...{ slice: 'inner', vnet: '10.66.0.0/16', interfacePrefix: 'pv002-', namespacePrefix: `${node.namespace}i_` },
      ...{ table: 50_002, rulePriority: 10_002 },
      ...{ nexthops: { first: 131_072, last: 196_607 }, vnis: { first: 8192, last: 12_287 } },
    };
    const file = join(node.directory, 'policy', 'inner.json');
    writeFileSync(file, JSON.stringify(other), { mode: 0o644 });
    const attached = node.attach();
    const apply = (operation: OperationInput) => attached.client.call('apply', { operations: [operation] });
    await apply(tunnel);
    await apply({ op: 'tunnel_down', interface: 'pv001-g0' });
    node.ip('rule add to 10.66.0.0/16 lookup 50002 priority 10002');
    const refusal = {
      code: 'forbidden',
      message:
        "tunnel end 10.66.0.9 does not belong to slice 'test' (allowed: addresses outside vnet 10.66.0.0/16 of slice 'inner')",
      hint: `slice 'inner' is on this node (${file}); give one of the two another vnet, or run \`pl-vnm agent list\``,
    };
    await expect(apply(tunnel)).rejects.toMatchObject(refusal);
    node.ip('rule del priority 10002');
    // An administrator put it there.
    writeFileSync(join(node.directory, 'attach-inner'), '');
    await expect(apply(tunnel)).rejects.toMatchObject(refusal);
  });
});
