/** Runs BIRD and FRR in routers' namespaces: started, watched, taken over by the next agent, and ended. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import type { DaemonReport } from '../../src/vsys/daemon.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import type { RpcClient } from '../../src/vsys/rpc.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeWithProgram } from '../support/programs.ts';

type DaemonUp = Extract<OperationInput, { op: 'daemon_up' }>;

const patience = { timeout: 40_000, interval: 200 };
const mac = (last: number) => `02:50:0a:41:00:0${last}`;
const ends = [
  { name: 'a', interface: 'pv001-a', id: '10.65.1.1', network: '10.65.10.0/24' },
  { name: 'b', interface: 'pv001-b', id: '10.65.1.2', network: '10.65.20.0/24' },
] as const;
type End = (typeof ends)[number];

/** OSPF over the link, and a network of one's own that the neighbour learns. */
const birdConfig = ({ id, interface: name, network }: End, more = '') => `log stderr all;
router id ${id};
protocol device { scan time 1; }
protocol kernel { ipv4 { import none; export all; }; }
protocol static { ipv4; route ${network} blackhole; ${more} }
protocol ospf v2 {
  ipv4 { import all; export where source = RTS_STATIC; };
  area 0 { interface "${name}" { type ptp; hello 1; dead 4; }; };
}
`;
const frrConfig = ({ id, interface: name, network }: End, more = '') => `ip route ${network} blackhole
${more}
router ospf
 ospf router-id ${id}
 redistribute static
 timers throttle spf 0 50 500
 timers throttle lsa all 0
 timers lsa min-arrival 0
exit
interface ${name}
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf network point-to-point
 ip ospf area 0
exit
`;

/** What only the programs themselves find wrong. */
const brokenBird = 'route 10.65.11.0/24 via nonsense;';
const brokenFrr = 'router ospf\n ospf router-id 1.2.3\nexit';

/** Two routers with a link between them, as the controller sets them up. */
function networkOf(node: AgentNode): OperationInput[] {
  const [a, b] = ends;
  const [inA, inB] = [node.router(a.name), node.router(b.name)];
  const vif = { op: 'vif_up', pointToPoint: true } as const;
  return [
    { op: 'netns_up', namespace: inA, urpf: 'strict' },
    { op: 'netns_up', namespace: inB, urpf: 'strict' },
    {
      op: 'tunnel_up',
      kind: 'local',
      interface: a.interface,
      namespace: inA,
      mac: mac(1),
      mtu: 1400,
      peer: { interface: b.interface, namespace: inB, mac: mac(2) },
    },
    {
      ...vif,
      interface: a.interface,
      namespace: inA,
      address: '10.65.0.2',
      peer: { address: '10.65.0.3', mac: mac(2) },
    },
    {
      ...vif,
      interface: b.interface,
      namespace: inB,
      address: '10.65.0.3',
      peer: { address: '10.65.0.2', mac: mac(1) },
    },
  ];
}

/** What the tests of both kinds do. */
function lookAt(getNode: () => AgentNode) {
  const router = (name: string) => getNode().router(name);
  const reportOf = async (name: string): Promise<DaemonReport> => {
    const { daemons = [] } = await call('inventory', {});
    return daemons.find(({ namespace }) => namespace === router(name)) ?? expect.fail(`no daemon in '${name}'`);
  };
  const pidsOf = async (name: string) =>
    Object.fromEntries((await reportOf(name)).processes.map((one) => [one.name, one.pid]));
  let kept: RpcClient | undefined;
  const client = (): RpcClient => {
    kept ??= getNode().attach().client;
    return kept;
  };
  const call: RpcClient['call'] = (method, params) => client().call(method, params);
  const apply = async (...operations: OperationInput[]) =>
    (await call('apply', { operations })).results.map(({ status }) => status);
  /** Waits until the router has the other one's network from its neighbour. */
  const converged = (name: string, network: string) =>
    expect
      .poll(async () => {
        const { adjacencies } = await call('daemon_state', { namespace: router(name) });
        const { routes } = await call('routes', { namespace: router(name) });
        return {
          isUp: adjacencies.some(({ protocol, isUp }) => protocol === 'ospf' && isUp),
          nexthops: routes.find(({ prefix }) => prefix === network)?.nexthops,
        };
      }, patience)
      .toEqual({
        isUp: true,
        nexthops: [
          name === 'a'
            ? { interface: 'pv001-a', via: '10.65.0.3', weight: 1 }
            : { interface: 'pv001-b', via: '10.65.0.2', weight: 1 },
        ],
      });
  /** Ends the agent, with SIGKILL in such a way that it can do nothing any more. */
  const killAgent = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const { agent } = await call('hello', {});
    process.kill(agent.pid, signal);
    kept = undefined;
    await expect.poll(() => existsSync(`/proc/${agent.pid}/ns/net`), patience).toBe(false);
  };
  return { router, reportOf, pidsOf, call, apply, converged, killAgent };
}

/** The commands of all processes that belong to the daemon of a namespace, wherever they run. */
function commandsOf(namespace: string): string[] {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`${daemonRoot}/${namespace}/`));
}

describeWithProgram('bird', 'BIRD in routers', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode({ daemons: 2 });
  });
  afterAll(() => node.remove());
  const { router, reportOf, pidsOf, call, apply, converged, killAgent } = lookAt(() => node);
  const up = (end: End, more = ''): DaemonUp => ({
    op: 'daemon_up',
    namespace: router(end.name),
    kind: 'bird',
    protocols: ['ospf'],
    config: birdConfig(end, more),
  });
  const both = () => [...networkOf(node), ...ends.map((end) => up(end))];

  it('BIRD starts as its own user, apart from other processes, and the same batch changes nothing', async () => {
    expect((await apply(...both())).slice(-2)).toEqual(['changed', 'changed']);
    expect(new Set(await apply(...both()))).toEqual(new Set(['unchanged']));
    const { processes, ...report } = await reportOf('a');
    expect(report).toEqual({
      namespace: router('a'),
      kind: 'bird',
      state: 'running',
      restarts: 0,
      version: expect.stringMatching(/^2\./),
    });
    expect(processes.map(({ name }) => name)).toEqual(['bird']);
    const { pid } = processes[0]!;
    expect(statSync(`/proc/${pid}`).uid).toBe(Number(execFileSync('id', ['-u', 'bird'], { encoding: 'utf8' })));
    expect(readlinkSync(`/proc/${pid}/ns/pid`)).not.toBe(readlinkSync('/proc/self/ns/pid'));
    expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(`net:[${statSync(`/run/netns/${router('a')}`).ino}]`);
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('300');
    // Neither the agent's environment nor its files.
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('PL_VNM_DIR');
  });

  it('BIRD finds its neighbour over multicast, and its routes come with usable next hops', async () => {
    await converged('a', ends[1].network);
    await converged('b', ends[0].network);
    const state = await call('daemon_state', { namespace: router('a') });
    expect(state.adjacencies).toEqual([
      {
        protocol: 'ospf',
        neighbour: ends[1].id,
        address: '10.65.0.3',
        interface: 'pv001-a',
        state: 'Full/PtP',
        isUp: true,
      },
    ]);
    expect(state.routes).toMatchObject({ static: 1 });
    const { routes } = await call('routes', { namespace: router('a') });
    expect(routes.find(({ prefix }) => prefix === ends[1].network)).toMatchObject({ protocol: 'bird' });
  });

  it('a comparison reports neither the routes of a daemon nor a daemon as wanted', async () => {
    const { differences } = await call('apply', { operations: both(), dryRun: true });
    expect(differences).toEqual([]);
  });

  it('another configuration is taken while BIRD runs, and an invalid one changes nothing', async () => {
    const before = await pidsOf('a');
    const extra = 'route 10.65.11.0/24 blackhole;';
    expect(await apply(up(ends[0], extra))).toEqual(['changed']);
    await converged('b', '10.65.11.0/24');
    expect(await pidsOf('a')).toEqual(before);
    expect(await apply(up(ends[0], extra))).toEqual(['unchanged']);
    await expect(apply(up(ends[0], brokenBird))).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^BIRD refuses its configuration: .*bird\.conf\.?\S*:5:\d+ syntax error/),
    });
    expect(await apply(up(ends[0], extra))).toEqual(['unchanged']);
    expect(await pidsOf('a')).toEqual(before);
    expect(await apply(up(ends[0]))).toEqual(['changed']);
  });

  it('a batch that fails undoes what it did to daemons', async () => {
    const before = [await pidsOf('a'), await pidsOf('b')];
    const added: OperationInput = { op: 'netns_up', namespace: router('c'), urpf: 'strict' };
    await expect(
      apply(up(ends[0], 'route 10.65.12.0/24 blackhole;'), added, up(ends[1], brokenBird)),
    ).rejects.toMatchObject({ code: 'failed', hint: 'nothing was changed' });
    expect(await apply(up(ends[0]))).toEqual(['unchanged']);
    expect([await pidsOf('a'), await pidsOf('b')]).toEqual(before);
    // Daemons that were ended return, also with their namespace, and one that was started goes.
    await expect(
      apply(
        { op: 'daemon_down', namespace: router('b') },
        { op: 'netns_down', namespace: router('a') },
        added,
        { ...up(ends[1]), namespace: router('c') },
        up(ends[1], brokenBird),
      ),
    ).rejects.toMatchObject({ hint: 'nothing was changed' });
    expect(commandsOf(router('c'))).toEqual([]);
    expect((await call('apply', { operations: both(), dryRun: true })).differences).toEqual([]);
    await converged('b', ends[0].network);
  });

  it('a slice has no more daemons than its limit', async () => {
    const operations: OperationInput[] = [
      { op: 'netns_up', namespace: router('c'), urpf: 'strict' },
      { ...up(ends[0]), namespace: router('c') },
    ];
    await expect(apply(...operations)).rejects.toMatchObject({
      code: 'forbidden',
      message: "slice 'test' may have at most 2 daemons on this node",
    });
  });

  it('BIRD is started again when it was killed, and stays down after too many times', async () => {
    let { bird } = await pidsOf('b');
    for (let restarts = 1; restarts <= 5; restarts += 1) {
      process.kill(bird!, 'SIGKILL');
      await expect
        .poll(async () => ({ ...(await reportOf('b')), pid: (await pidsOf('b')).bird }), patience)
        .toMatchObject({ state: 'running', restarts, pid: expect.any(Number) });
      ({ bird } = await pidsOf('b'));
    }
    process.kill(bird!, 'SIGKILL');
    await expect.poll(async () => (await reportOf('b')).state, patience).toBe('failed');
    expect(agentLog(node)).toContain('too often to be started again');
    const found = await call('apply', { operations: both(), dryRun: true });
    expect(found.differences).toMatchObject([
      { kind: 'daemon', namespace: router('b'), name: 'daemon', found: expect.stringMatching(/^bird .*, failed$/) },
    ]);
    await call('apply', { operations: both(), repair: true });
    expect(await reportOf('b')).toMatchObject({ state: 'running', restarts: 0 });
    await converged('a', ends[1].network);
  });

  it('the next agent takes the daemons over, and starts those that ended meanwhile', async () => {
    const before = [await pidsOf('a'), await pidsOf('b')];
    await killAgent('SIGTERM');
    expect([await pidsOf('a'), await pidsOf('b')]).toEqual(before);
    expect(new Set(await apply(...both()))).toEqual(new Set(['unchanged']));
    await killAgent();
    process.kill(before[0]!.bird!, 'SIGKILL');
    await expect
      .poll(async () => (await reportOf('a')).processes, patience)
      .toEqual([{ name: 'bird', pid: expect.toSatisfy((pid) => pid !== before[0]!.bird) }]);
    for (const { name } of ends) {
      expect(commandsOf(router(name)).filter((command) => command.startsWith('bird'))).toHaveLength(1);
    }
    await converged('b', ends[0].network);
  });

  it('a daemon ends with its namespace, also when somebody else removes that', async () => {
    expect(await apply({ op: 'netns_down', namespace: router('a') })).toEqual(['changed']);
    expect(commandsOf(router('a'))).toEqual([]);
    expect(existsSync(join(daemonRoot, router('a')))).toBe(false);
    execFileSync('ip', ['netns', 'del', router('b')]);
    await expect.poll(() => commandsOf(router('b')), patience).toEqual([]);
    await expect.poll(async () => (await call('inventory', {})).daemons, patience).toBeUndefined();
    expect(existsSync(join(node.directory, 'run', 'test.daemons', `${router('b')}.json`))).toBe(false);
  });
});

describeWithProgram('vtysh', 'FRR in routers', () => {
  let node: AgentNode;
  beforeAll(async () => {
    node = await startAgentNode();
  });
  afterAll(() => node.remove());
  const { router, reportOf, pidsOf, call, apply, converged, killAgent } = lookAt(() => node);
  const up = (end: End, more = ''): DaemonUp => ({
    op: 'daemon_up',
    namespace: router(end.name),
    kind: 'frr',
    protocols: ['ospf'],
    config: frrConfig(end, more),
  });
  const both = () => [...networkOf(node), ...ends.map((end) => up(end))];

  it('FRR starts as its own user, without a port for commands, and the same batch changes nothing', async () => {
    expect((await apply(...both())).slice(-2)).toEqual(['changed', 'changed']);
    expect(new Set(await apply(...both()))).toEqual(new Set(['unchanged']));
    const pids = await pidsOf('a');
    expect(Object.keys(pids).sort()).toEqual(['ospfd', 'staticd', 'zebra']);
    const frr = Number(execFileSync('id', ['-u', 'frr'], { encoding: 'utf8' }));
    for (const pid of Object.values(pids)) expect(statSync(`/proc/${pid}`).uid).toBe(frr);
    const sockets = execFileSync('ss', ['--no-header', '--listening', '--tcp', '--net', router('a')], {
      encoding: 'utf8',
    });
    expect(sockets).toBe('');
  });

  it("FRR's routes come with usable next hops, and it leaves the permanent neighbours alone", async () => {
    await converged('a', ends[1].network);
    await converged('b', ends[0].network);
    const state = await call('daemon_state', { namespace: router('a') });
    expect(state.adjacencies.filter(({ isUp }) => isUp)).toEqual([
      {
        protocol: 'ospf',
        neighbour: ends[1].id,
        address: '10.65.0.3',
        interface: 'pv001-a',
        state: 'Full/-',
        isUp: true,
      },
    ]);
    expect(state.routes).toMatchObject({ static: 1, ospf: expect.any(Number) });
    expect((await call('apply', { operations: both(), dryRun: true })).differences).toEqual([]);
    expect(node.ip('neighbour show nud permanent', router('a'))).toContain(`10.65.0.3 dev pv001-a lladdr ${mac(2)}`);
  });

  it('only the process that ended is started again', async () => {
    const before = await pidsOf('a');
    const crashLog = readFileSync(join(daemonRoot, router('a'), 'ospfd.crashlog'), 'utf8');
    expect(existsSync(crashLog)).toBe(true);
    process.kill(before.ospfd!, 'SIGKILL');
    await expect
      .poll(() => pidsOf('a'), patience)
      .toEqual({ ...before, ospfd: expect.toSatisfy((pid) => pid !== undefined && pid !== before.ospfd) });
    expect(await reportOf('a')).toMatchObject({ state: 'running', restarts: 1 });
    expect(existsSync(crashLog)).toBe(false);
    await converged('a', ends[1].network);
  });

  it('the agent that follows a killed one takes the daemons over', async () => {
    const before = [await pidsOf('a'), await pidsOf('b')];
    await killAgent();
    expect([await pidsOf('a'), await pidsOf('b')]).toEqual(before);
    expect(new Set(await apply(...both()))).toEqual(new Set(['unchanged']));
  });

  it('the agent that follows one killed during a start does not take over what may lack its configuration', async () => {
    const before = await pidsOf('a');
    await killAgent();
    const path = join(node.directory, 'run', 'test.daemons', `${router('a')}.json`);
    const record = JSON.parse(readFileSync(path, 'utf8'));
    expect(record).toMatchObject({ isReady: true, daemon: { kind: 'frr' } });
    writeFileSync(path, JSON.stringify({ ...record, isReady: false }));
    await expect
      .poll(async () => (await pidsOf('a')).ospfd, patience)
      .toSatisfy((pid) => pid !== undefined && pid !== before.ospfd);
    await converged('a', ends[1].network);
  });

  it('another configuration starts FRR again with it, and an invalid one changes nothing', async () => {
    const before = await pidsOf('a');
    await expect(apply(up(ends[0], brokenFrr))).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^FRR refuses its configuration: .*router-id 1\.2\.3/),
    });
    expect(await pidsOf('a')).toEqual(before);
    expect(await apply(up(ends[0], 'ip route 10.65.11.0/24 blackhole'))).toEqual(['changed']);
    await converged('b', '10.65.11.0/24');
    expect((await pidsOf('a')).zebra).not.toBe(before.zebra);
  });

  it('a router changes its kind of daemon, and nothing of the former one stays', async () => {
    const bird: DaemonUp = { op: 'daemon_up', namespace: router('a'), kind: 'bird', config: birdConfig(ends[0]) };
    const before = await pidsOf('a');
    await expect(apply({ ...bird, config: birdConfig(ends[0], brokenBird) })).rejects.toMatchObject({ code: 'failed' });
    expect(await pidsOf('a')).toEqual(before);
    expect(await apply(bird)).toEqual(['changed']);
    expect(Object.keys(await pidsOf('a'))).toEqual(['bird']);
    expect(commandsOf(router('a')).filter((command) => command.includes('frr'))).toEqual([]);
    await converged('b', ends[0].network);
    const { routes } = await call('routes', { namespace: router('a') });
    const protocols = routes.map(({ protocol }) => protocol);
    expect(protocols).toContain('bird');
    for (const ofFrr of ['zebra', 'zstatic', 'ospf']) expect(protocols).not.toContain(ofFrr);
  });

  it('daemons end with their namespaces', async () => {
    expect(
      await apply(...ends.map(({ name }): OperationInput => ({ op: 'netns_down', namespace: router(name) }))),
    ).toEqual(['changed', 'changed']);
    for (const { name } of ends) expect(commandsOf(router(name))).toEqual([]);
    expect((await call('inventory', {})).daemons).toBeUndefined();
  });
});

describeWithProgram('bird', 'BIRD on two nodes', () => {
  const nodes: AgentNode[] = [];
  beforeAll(async () => {
    nodes.push(await startAgentNode(), await startAgentNode());
  });
  afterAll(async () => {
    for (const node of nodes) await node.remove();
  });

  it('the packets of OSPF pass VXLAN tunnels with their filter', async () => {
    const [one, other] = nodes as [AgentNode, AgentNode];
    one.ip(`link add under type veth peer name under netns ${other.namespace}`);
    for (const [index, node] of nodes.entries()) {
      node.ip(`address add 192.0.2.${index + 1}/24 dev under`);
      node.ip('link set under up');
    }
    for (const [index, node] of nodes.entries()) {
      const [end, namespace] = [ends[index]!, node.router('r')];
      const [own, peer] = index === 0 ? [1, 2] : [2, 1];
      await node.apply([
        { op: 'netns_up', namespace, urpf: 'strict' },
        {
          op: 'tunnel_up',
          kind: 'vxlan',
          interface: end.interface,
          namespace,
          mac: mac(own),
          mtu: 1400,
          vni: 4097,
          remote: `192.0.2.${peer}`,
          local: `192.0.2.${own}`,
          port: 4790,
        },
        {
          op: 'vif_up',
          interface: end.interface,
          namespace,
          address: `10.65.0.${own + 1}`,
          peer: { address: `10.65.0.${peer + 1}`, mac: mac(peer) },
          pointToPoint: true,
        },
        { op: 'daemon_up', namespace, kind: 'bird', protocols: ['ospf'], config: birdConfig(end) },
      ]);
    }
    const state = () => one.client().call('daemon_state', { namespace: one.router('r') });
    await expect.poll(async () => (await state()).adjacencies.map(({ isUp }) => isUp), patience).toEqual([true]);
  });
});
