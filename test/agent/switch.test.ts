/** A real Open vSwitch in a router's namespace, through the agent, and tunnels that lead to the places of a switch. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { switchSocket, wireEntries } from '../../src/agent/daemons/openvswitch.ts';
import { placeOf } from '../../src/agent/daemons/place.ts';
import { findProgram } from '../../src/agent/daemons/programs.ts';
import { OpenFlowConnection } from '../../src/agent/openflow/connection.ts';
import type { FlowEntry } from '../../src/model/flow-entry.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { parseSwitch, switchText } from '../../src/vsys/switch-config.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot, describeAsRootUnless } from '../support/privileges.ts';

const lack = findProgram('ovs-vswitchd') === undefined ? 'they need ovs-vswitchd (openvswitch-switch)' : undefined;
const ports = ['pv001-p1', 'pv001-p2'].map((name, index) => ({ interface: name, number: index + 1 }));
const mac = (last: number) => `02:51:0a:41:00:0${last}`;
const entry = (receiver: string, destination = '10.65.0.2/31'): FlowEntry => ({
  in: 'pv001-p1',
  source: '10.65.0.0/31',
  destination,
  output: { interface: 'pv001-p2', sender: mac(1), receiver },
});

describeAsRootUnless(lack, 'a switch', () => {
  let node: AgentNode;
  let namespace: string;
  beforeAll(async () => {
    node = await startAgentNode();
    namespace = node.router('s');
    await node.apply([
      { op: 'netns_up', namespace, urpf: 'strict' },
      ...ports.map(
        ({ interface: name, number }): OperationInput => ({
          op: 'tunnel_up',
          kind: 'local',
          interface: `pv001-o${number}`,
          mac: mac(number),
          mtu: 1400,
          peer: { interface: name, namespace, mac: mac(number + 2) },
        }),
      ),
    ]);
  });
  afterAll(() => node?.remove());

  const up = (entries: readonly FlowEntry[]): OperationInput => ({
    op: 'daemon_up',
    namespace,
    kind: 'openvswitch',
    config: switchText({ ports, entries }),
  });
  const cookies = (entries: readonly FlowEntry[]) =>
    wireEntries(parseSwitch(switchText({ ports, entries })))
      .map(({ cookie }) => cookie)
      .sort();
  async function present(): Promise<bigint[]> {
    const connection = await OpenFlowConnection.open(switchSocket(placeOf(namespace)));
    try {
      return (await connection.entries()).map(({ cookie }) => cookie).sort();
    } finally {
      connection.close();
    }
  }

  it('has the entries of its configuration, and changes only those that differ', async () => {
    const [one, two] = [entry(mac(5)), entry(mac(5), '10.65.0.4/31')];
    expect(await node.apply([up([one])])).toEqual(['changed']);
    expect(await node.apply([up([one])])).toEqual(['unchanged']);
    expect(await present()).toEqual(cookies([one]));
    await node.apply([up([one, two])]);
    expect(await present()).toEqual(cookies([one, two]));
    await node.apply([up([entry(mac(6))])]);
    expect(await present()).toEqual(cookies([entry(mac(6))]));
  });

  it('changes its entries at an instant, all together', async () => {
    await node.apply([up([entry(mac(5)), entry(mac(5), '10.65.0.4/31')])]);
    const changed = [entry(mac(7)), entry(mac(7), '10.65.0.4/31')];
    const action = { kind: 'flow' as const, offsetMs: 0, namespace };
    const at = Date.now() + 1000;
    await node.client().call('arm', { id: 'flip', at, actions: [{ ...action, entries: changed }] });
    for (;;) {
      const { state, actions } = await node.client().call('armed_results', { id: 'flip' });
      if (state === 'armed') {
        await sleep(50);
        continue;
      }
      expect(state).toBe('fired');
      expect(actions[0]!.startedAt).toBeGreaterThanOrEqual(at);
      break;
    }
    expect(await present()).toEqual(cookies(changed));
    const stray = { ...entry(mac(7)), in: 'pv001-p3' };
    await expect(
      node.client().call('arm', { id: 'stray', at: Date.now() + 1000, actions: [{ ...action, entries: [stray] }] }),
    ).rejects.toMatchObject({ code: 'not-found', message: "the switch has no port for interface 'pv001-p3'" });
  });

  it('outlives its agent, and goes with everything that it made', async () => {
    const filter = () =>
      execFileSync('ip', ['netns', 'exec', namespace, 'nft', 'list', 'tables'], { encoding: 'utf8' });
    await node.endAgent('SIGKILL');
    expect(await node.client().call('daemon_state', { namespace })).toEqual({
      adjacencies: [],
      routes: { openflow: 2 },
    });
    expect(filter()).toBe('table ip pl-vnm-switch\n');
    expect(await node.apply([{ op: 'daemon_down', namespace }])).toEqual(['changed']);
    expect(existsSync(switchSocket(placeOf(namespace)))).toBe(false);
    expect(filter()).toBe('');
    const links = JSON.parse(node.ip('-json link', namespace)) as { ifname: string }[];
    expect(links.map(({ ifname }) => ifname).sort()).toEqual(['lo', ...ports.map((port) => port.interface)]);
  });
});

describeAsRoot('a tunnel to the two places of a switch', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode();
    await node.apply([{ op: 'rule_up' }]);
  });
  afterAll(() => node?.remove());

  const name = 'pv001-v';
  const tunnel = (more: object): OperationInput[] => [
    {
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: name,
      mac: mac(1),
      mtu: 1400,
      vni: 4097,
      remote: '192.0.2.9',
      port: 4790,
      ...more,
    },
  ];
  const led = () =>
    execFileSync('ip', ['netns', 'exec', node.namespace, 'bridge', 'fdb', 'show', 'dev', name], { encoding: 'utf8' })
      .split('\n')
      .flatMap((line) => /^(\S+) dst (\S+)/.exec(line)?.slice(1).join(' ') ?? [])
      .sort();
  const all = (remote: string) => `00:00:00:00:00:00 ${remote}`;

  it('leads frames by their MAC address while there are two, and is the same tunnel afterwards', async () => {
    const both = { alsoFrom: '192.0.2.10', alsoMac: mac(2) };
    expect(await node.apply(tunnel({}))).toEqual(['changed']);
    expect(await node.apply(tunnel(both))).toEqual(['changed']);
    expect(led()).toEqual([all('192.0.2.9'), `${mac(2)} 192.0.2.10`]);
    expect(await node.apply(tunnel(both))).toEqual(['unchanged']);
    expect(await node.apply(tunnel({ remote: '192.0.2.10' }))).toEqual(['changed']);
    expect(led()).toEqual([all('192.0.2.10')]);
    expect(await node.apply(tunnel({ remote: '192.0.2.10' }))).toEqual(['unchanged']);
  });
});
