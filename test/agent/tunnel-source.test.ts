/**
 * Tests from where tunnels send, on a node with two addresses and on one behind a NAT: the source that the kernel
 * chooses is not the address to which the others send.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const port = 4790;
const vni = 4097;
const name = 'pv001-v';
const inner = { near: '10.65.0.1', far: '10.65.0.2' } as const;
const macs = { near: '02:50:0a:41:00:01', far: '02:50:0a:41:00:02' } as const;
/** `first`: the address that the kernel chooses. */
const outer = { first: '192.0.2.1', second: '192.0.2.3', far: '192.0.2.9' } as const;
type Side = keyof typeof inner;

describeAsRoot('the source of a tunnel', () => {
  const nodes = {} as Record<Side, AgentNode>;

  beforeAll(async () => {
    nodes.near = await startAgentNode();
    nodes.far = await startAgentNode();
    nodes.near.ip(`link add u0 type veth peer name u0 netns ${nodes.far.namespace}`);
    nodes.near.ip(`address add ${outer.first}/24 dev u0`);
    nodes.near.ip(`address add ${outer.second}/24 dev u0`);
    nodes.far.ip(`address add ${outer.far}/24 dev u0`);
    for (const node of Object.values(nodes)) {
      node.ip('link set u0 up');
      await node.apply([{ op: 'rule_up' }]);
    }
  });
  afterAll(async () => {
    for (const node of Object.values(nodes)) await node.remove();
  });
  beforeEach(async () => {
    for (const node of Object.values(nodes)) await node.apply([{ op: 'tunnel_down', interface: name }]);
  });

  /** The operations of a controller: `near` is given as `address`. */
  function tunnel(side: Side, near: string): OperationInput[] {
    const [local, remote] = side === 'near' ? [near, outer.far] : [outer.far, near];
    const other = side === 'near' ? 'far' : 'near';
    return [
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: name,
        mac: macs[side],
        mtu: 1400,
        vni,
        remote,
        local,
        port,
      },
      { op: 'vif_up', interface: name, address: inner[side], peer: { address: inner[other], mac: macs[other] } },
      { op: 'vroute', action: 'add', prefix: `${inner[other]}/32`, nexthops: [{ interface: name }] },
    ];
  }
  const install = async (near: string) => {
    for (const side of ['near', 'far'] as const) await nodes[side].apply(tunnel(side, near));
  };
  const repair = async (side: Side, near: string) =>
    nodes[side].client().call('apply', { operations: tunnel(side, near), repair: true });

  /** Installs what agents before the filter left: tunnels whose source the kernel chooses, and no table. */
  async function installAsEarlier(near: string): Promise<void> {
    for (const side of ['near', 'far'] as const) {
      const [up, ...rest] = tunnel(side, near);
      const { local: _, ...earlier } = up as Extract<OperationInput, { kind: 'vxlan' }>;
      await nodes[side].apply([earlier, ...rest]);
      inside(side, 'nft', 'flush', 'ruleset');
    }
  }

  function inside(side: Side, ...words: string[]): string {
    const command = [`--net=/run/netns/${nodes[side].namespace}`, '--', ...words];
    return execFileSync('nsenter', command, { encoding: 'utf8', stdio: 'pipe' });
  }
  async function answers(from: Side, to: Side): Promise<boolean> {
    const request = { from: inner[from], to: [inner[to]], timeoutMs: 2000 };
    return (await nodes[from].client().call('reach', request)).answered[0]!;
  }
  const bothWays = async () => [await answers('near', 'far'), await answers('far', 'near')];
  const obstacles = async (side: Side) =>
    (await nodes[side].client().call('obstacles', { port })).obstacles.filter(({ kind }) => kind === 'tunnel-source');
  const elements = (side: Side, set: string) =>
    /elements = \{ ([^}]*) \}/.exec(inside(side, 'nft', 'list', 'set', 'inet', 'pl-vnm-pv001-tunnels', set))?.[1];
  const source = async (side: Side) => (await nodes[side].inventory()).interfaces.map(({ local }) => local);

  it('a tunnel sends from the address that the others send to, whatever the kernel would choose', async () => {
    await install(outer.second);
    expect(await bothWays()).toEqual([true, true]);
    expect(await source('near')).toEqual([outer.second]);
    expect(await obstacles('far')).toEqual([]);
    for (const side of ['near', 'far'] as const) {
      const { differences } = await nodes[side]
        .client()
        .call('apply', { operations: tunnel(side, outer.second), dryRun: true });
      expect(differences).toEqual([]);
    }
  });

  it('a tunnel of an earlier version is filtered only once its remote was heard from the expected source', async () => {
    await installAsEarlier(outer.second);
    expect(await bothWays()).toEqual([true, true]);
    await install(outer.second);
    expect(await bothWays()).toEqual([true, true]);
    expect(await source('near')).toEqual([undefined]);
    expect(await obstacles('near')).toEqual([]);
    expect(await obstacles('far')).toEqual([
      {
        kind: 'tunnel-source',
        message: `packets for the tunnel to ${outer.second} (VNI ${vni}, port ${port}) come from ${outer.first}, so the tunnel accepts packets from any sender`,
        hint: expect.stringContaining('`address` in the slice file'),
        blocks: false,
      },
    ]);
    expect(elements('far', 'watched')).toBe('4790 . 0x1001');
    // A repair does not change the source either.
    await repair('near', outer.second);
    expect(await source('near')).toEqual([undefined]);
    await nodes.near.apply([{ op: 'tunnel_down', interface: name }]);
    await nodes.near.apply(tunnel('near', outer.second));
    expect(await source('near')).toEqual([outer.second]);
    expect(await bothWays()).toEqual([true, true]);
    // Without another batch.
    while (elements('far', 'watched') !== undefined || elements('near', 'watched') !== undefined) await sleep(50);
    expect(elements('far', 'tunnels')).toBe('4790 . 0x1001');
    expect(await bothWays()).toEqual([true, true]);
  });

  it('a tunnel that a batch does not name is watched until its source is known', async () => {
    await installAsEarlier(outer.second);
    await nodes.far.apply([{ op: 'netns_up', namespace: nodes.far.router('a'), urpf: 'strict' }]);
    expect(await bothWays()).toEqual([true, true]);
    await nodes.far.apply([{ op: 'netns_down', namespace: nodes.far.router('a') }]);
  });

  it('the source of a tunnel behind a NAT is left to the kernel, and an unexpected source is an obstacle', async () => {
    const given = '192.0.2.77';
    nodes.far.ip(`route add ${given}/32 via ${outer.first}`);
    nodes.near.ip(`address add ${given}/32 dev lo`);
    await nodes.far.apply(tunnel('far', given));
    nodes.near.ip(`address del ${given}/32 dev lo`);
    await nodes.near.apply(tunnel('near', given));
    expect(await source('near')).toEqual([undefined]);
    expect(await answers('near', 'far')).toBe(false);
    expect(await obstacles('far')).toMatchObject([
      {
        message: `packets for the tunnel to ${given} (VNI ${vni}, port ${port}) come from ${outer.first}, and are dropped`,
        blocks: false,
      },
    ]);
    // As a NAT does through which the node sends and receives.
    inside('near', 'nft', 'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100 ; }');
    inside('near', 'nft', `add rule ip nat out udp dport ${port} snat to ${given}`);
    inside('near', 'nft', 'add chain ip nat in { type nat hook prerouting priority -100 ; }');
    inside('near', 'nft', `add rule ip nat in ip daddr ${given} dnat to ${outer.first}`);
    expect(await bothWays()).toEqual([true, true]);
    inside('near', 'nft', 'delete table ip nat');
  });

  it('the next agent also watches a tunnel until its source is known', async () => {
    await installAsEarlier(outer.second);
    await install(outer.second);
    expect(elements('far', 'watched')).toBeDefined();
    const pidNow = async () => (await nodes.far.attach().client.call('hello', {})).agent.pid;
    const before = await pidNow();
    await nodes.far.client().call('shutdown', {});
    // The former agent may still take a connection, which it then closes.
    await expect.poll(() => pidNow().catch(() => before), { timeout: 30_000, interval: 100 }).not.toBe(before);
    await nodes.near.apply([{ op: 'tunnel_down', interface: name }]);
    await nodes.near.apply(tunnel('near', outer.second));
    while (elements('far', 'watched') !== undefined) {
      await answers('near', 'far');
      await sleep(50);
    }
    expect(elements('far', 'tunnels')).toBe('4790 . 0x1001');
  });
});
