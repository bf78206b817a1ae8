/**
 * Moves a running BIRD between two nodes with its memory and its sockets: the neighbours see nothing of it. The routers
 * are a - r - b; r moves, and a and b are on a third node.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findCriu } from '../../src/agent/daemons/moving/criu.ts';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeWithCriu } from '../support/programs.ts';

const patience = { timeout: 40_000, interval: 100 };
const port = 4790;
const mac = (last: number) => `02:50:0a:41:00:0${last}`;
/** From a neighbour to r: names, MACs and addresses of both ends. */
const links = [
  {
    router: 'a',
    own: 'pv001-a',
    far: 'pv001-ra',
    vni: 4097,
    macs: [mac(1), mac(2)],
    addresses: ['10.65.0.2', '10.65.0.3'],
  },
  {
    router: 'b',
    own: 'pv001-b',
    far: 'pv001-rb',
    vni: 4098,
    macs: [mac(3), mac(4)],
    addresses: ['10.65.0.4', '10.65.0.5'],
  },
] as const;
const ids = { a: '10.65.1.1', b: '10.65.1.2', r: '10.65.1.3' };
const networks = { a: '10.65.10.0/24', b: '10.65.20.0/24', r: '10.65.30.0/24' };
/** Behind both a and b, so that r has two next hops for it. */
const shared = '10.65.40.0/24';
type Name = keyof typeof ids;

/** With a line in the log for every event of a neighbour. */
const config = (name: Name, interfaces: readonly string[]) => `log stderr all;
router id ${ids[name]};
protocol device { scan time 1; }
protocol kernel { scan time 2; ipv4 { import none; export all; }; }
protocol static { ipv4; route ${networks[name]} blackhole; }
protocol ospf v2 {
  debug { states, events };
  ipv4 { import all; export where source = RTS_STATIC; };
  area 0 { ${name === 'r' ? '' : `stubnet ${shared};`} ${interfaces.map((one) => `interface "${one}" { type ptp; hello 1; dead 4; };`).join(' ')} };
}
`;

describeWithCriu('BIRD moves with its memory and sockets', () => {
  /** Of the neighbours, and the two places of r. */
  let neighbours: AgentNode;
  let places: [AgentNode, AgentNode];
  const underlay = (node: AgentNode) => `192.0.2.${[neighbours, ...places].indexOf(node) + 1}`;

  beforeAll(async () => {
    const operations = ['*', 'daemon_dump', 'daemon_restore'];
    neighbours = await startAgentNode();
    places = [await startAgentNode({}, { operations }), await startAgentNode({}, { operations })];
    neighbours.ip('link add name under type bridge');
    for (const [index, place] of places.entries()) {
      neighbours.ip(`link add port${index} type veth peer name under netns ${place.namespace}`);
      neighbours.ip(`link set port${index} master under up`);
    }
    for (const node of [neighbours, ...places]) {
      node.ip(`address add ${underlay(node)}/24 dev under`);
      node.ip('link set under up');
    }
    for (const place of places) await place.apply(placeOfR(place));
    await neighbours.apply(links.flatMap((link) => [...neighbour(link), ...flip(link, places[0])]));
    await places[0].apply([
      daemon(
        places[0],
        'r',
        links.map(({ far }) => far),
      ),
    ]);
    await neighbours.apply(links.map(({ router, own }) => daemon(neighbours, router, [own])));
  });
  afterAll(async () => {
    for (const node of [neighbours, ...(places ?? [])]) await node?.remove();
  });

  const daemon = (node: AgentNode, name: Name, interfaces: readonly string[]): OperationInput => ({
    op: 'daemon_up',
    namespace: node.router(name),
    kind: 'bird',
    protocols: ['ospf'],
    config: config(name, interfaces),
  });
  const vif = (node: AgentNode, router: string, name: string, [own, peer]: readonly string[], peerMac: string) =>
    ({
      op: 'vif_up',
      interface: name,
      namespace: node.router(router),
      address: own!,
      peer: { address: peer!, mac: peerMac },
      pointToPoint: true,
    }) satisfies OperationInput;
  const placeOfR = (place: AgentNode): OperationInput[] => [
    { op: 'netns_up', namespace: place.router('r'), urpf: 'strict' },
    ...links.flatMap(({ far, vni, macs, addresses }): OperationInput[] => [
      {
        op: 'tunnel_up',
        kind: 'vxlan',
        interface: far,
        namespace: place.router('r'),
        mac: macs[1],
        mtu: 1400,
        vni,
        remote: underlay(neighbours),
        local: underlay(place),
        port,
      },
      vif(place, 'r', far, [addresses[1], addresses[0]], macs[0]),
    ]),
  ];
  const neighbour = ({ router }: (typeof links)[number]): OperationInput[] => [
    { op: 'netns_up', namespace: neighbours.router(router), urpf: 'strict' },
  ];
  /** Sends to this place of r, and takes packets from both. */
  const flip = ({ router, own, vni, macs, addresses }: (typeof links)[number], place: AgentNode): OperationInput[] => [
    {
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: own,
      namespace: neighbours.router(router),
      mac: macs[0],
      mtu: 1400,
      vni,
      remote: underlay(place),
      alsoFrom: underlay(places.find((other) => other !== place)!),
      local: underlay(neighbours),
      port,
    },
    vif(neighbours, router, own, addresses, macs[1]),
  ];
  const flipAll = (place: AgentNode) => neighbours.apply(links.flatMap((link) => flip(link, place)));

  const adjacencies = async (node: AgentNode, name: Name) => {
    const { adjacencies } = await node.client().call('daemon_state', { namespace: node.router(name) });
    return adjacencies.map(({ neighbour, state }) => `${neighbour} ${state}`).sort();
  };
  const daemonRoutes = async (node: AgentNode, name: Name) => {
    const { routes } = await node.client().call('routes', { namespace: node.router(name) });
    return routes
      .filter(({ protocol }) => protocol === 'bird')
      .map(({ prefix, nexthops }) => (nexthops.length > 1 ? `${prefix} by ${nexthops.length} ways` : prefix))
      .sort();
  };
  const all = ['10.65.0.2/31', '10.65.0.4/31', ...Object.values(networks)].sort();
  const allOfR = [...all, `${shared} by 2 ways`].sort();
  /** All adjacencies are Full from both sides, and everyone has all routes. */
  const settled = async (place: AgentNode) => {
    const look = async () => ({
      a: await adjacencies(neighbours, 'a'),
      b: await adjacencies(neighbours, 'b'),
      r: await adjacencies(place, 'r'),
      routes: [
        await daemonRoutes(neighbours, 'a'),
        await daemonRoutes(neighbours, 'b'),
        await daemonRoutes(place, 'r'),
      ],
    });
    await expect.poll(look, patience).toEqual({
      a: [`${ids.r} Full/PtP`],
      b: [`${ids.r} Full/PtP`],
      r: [`${ids.a} Full/PtP`, `${ids.b} Full/PtP`],
      routes: [all, all, allOfR],
    });
  };
  const logOf = (node: AgentNode, name: Name) => readFileSync(join(daemonRoot, node.router(name), 'log'), 'utf8');
  /** How often the neighbours saw r change. */
  const events = () =>
    links.reduce((sum, { router }) => {
      const found = logOf(neighbours, router).match(/Neighbor \S+ on \S+ (changed state|removed)/g);
      return sum + (found?.length ?? 0);
    }, 0);
  /** Longer than the dead interval. */
  const longEnough = () => new Promise((resolve) => setTimeout(resolve, 6000));

  const birds = (node: AgentNode) =>
    execFileSync('ip', ['netns', 'pids', node.router('r')], { encoding: 'utf8' })
      .split('\n')
      .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'bird')
      .map((pid) => ({
        pid: Number(pid),
        isStopped: /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
      }));
  const report = async (node: AgentNode) =>
    (await node.inventory()).daemons?.find(({ namespace }) => namespace === node.router('r'));

  const dump = (node: AgentNode) => node.client().call('daemon_dump', { namespace: node.router('r') });
  const settle = (node: AgentNode, outcome: 'moved' | 'stayed') =>
    node.client().call('daemon_settle', { namespace: node.router('r'), outcome });
  const restore = (node: AgentNode, image: { bytes: number; sha256: string }) =>
    node.client().call('daemon_restore', { namespace: node.router('r'), ...image });
  /** As a controller relays it, in parts. */
  async function relay(from: AgentNode, to: AgentNode, bytes = 100_000): Promise<void> {
    for (let offset = 0; ; ) {
      const { data } = await from.client().call('daemon_image_read', { namespace: from.router('r'), offset, bytes });
      const part = Buffer.from(data, 'base64');
      if (part.length === 0) return;
      await to.client().call('daemon_image_write', { namespace: to.router('r'), offset, data });
      offset += part.length;
    }
  }
  /** Sends a checkpoint whose first file is not one of CRIU's. */
  async function damage(from: AgentNode, to: AgentNode, bytes: number): Promise<{ bytes: number; sha256: string }> {
    const { data } = await from.client().call('daemon_image_read', { namespace: from.router('r'), offset: 0, bytes });
    const content = gunzipSync(Buffer.from(data, 'base64'));
    const start = 4 + content.readUInt32BE(0);
    const archive = gzipSync(content.fill(0, start, start + 8));
    const sent = { namespace: to.router('r'), offset: 0, data: archive.toString('base64') };
    await to.client().call('daemon_image_write', sent);
    return { bytes: archive.length, sha256: createHash('sha256').update(archive).digest('hex') };
  }
  async function move(from: AgentNode, to: AgentNode): Promise<void> {
    const times = [performance.now()];
    const image = await dump(from);
    times.push(performance.now());
    expect(birds(from)).toMatchObject([{ isStopped: true }]);
    await relay(from, to);
    times.push(performance.now());
    await restore(to, image);
    times.push(performance.now());
    await settle(from, 'moved');
    await flipAll(to);
    const [dumpMs, transferMs, restoreMs] = times.slice(1).map((at, index) => Math.round(at - times[index]!));
    console.log(
      `checkpoint of ${image.bytes} bytes: dump ${dumpMs} ms, transfer ${transferMs} ms, restore ${restoreMs} ms`,
    );
  }
  const killAgent = async (node: AgentNode) => {
    const { agent } = await node.client().call('hello', {});
    process.kill(agent.pid, 'SIGKILL');
    await expect.poll(() => existsSync(`/proc/${agent.pid}/ns/net`), patience).toBe(false);
    node.reattach();
  };

  it('the routers find each other, and the feature criu says the version', async () => {
    await settled(places[0]);
    const { features } = await places[0].client().call('hello', {});
    const found = await findCriu();
    expect(features).toContainEqual({
      name: 'criu',
      available: true,
      detail: `version ${'version' in found ? found.version : '?'}`,
    });
  });

  it('a stopped daemon continues, and its neighbours saw nothing', async () => {
    const before = { events: events(), birds: birds(places[0]) };
    const image = await dump(places[0]);
    expect(image).toEqual({ bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await report(places[0])).toMatchObject({ state: 'moving', restarts: 0 });
    await expect(dump(places[0])).rejects.toMatchObject({ code: 'conflict' });
    await settle(places[0], 'stayed');
    await settle(places[0], 'stayed');
    expect(birds(places[0])).toEqual(before.birds);
    expect(await report(places[0])).toMatchObject({ state: 'running', restarts: 0 });
    await longEnough();
    await settled(places[0]);
    expect(events()).toBe(before.events);
  });

  it('after a restoration that fails the original continues, and its neighbours saw nothing', async () => {
    const before = events();
    const image = await dump(places[0]);
    await relay(places[0], places[1]);
    await expect(restore(places[1], { ...image, sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'the checkpoint that arrived is not the one that was sent',
    });
    places[1].ip('link set pv001-rb down', places[1].router('r'));
    places[1].ip('link set pv001-rb name gone', places[1].router('r'));
    await expect(restore(places[1], image)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining("interface 'pv001-rb'"),
    });
    places[1].ip('link set gone name pv001-rb', places[1].router('r'));
    places[1].ip('link set pv001-rb up', places[1].router('r'));
    expect(birds(places[1])).toEqual([]);
    await settle(places[0], 'stayed');
    await longEnough();
    await settled(places[0]);
    expect(events()).toBe(before);
  });

  it('after CRIU failed there is no copy, the original continues, and its neighbours saw nothing', async () => {
    const before = events();
    const image = await dump(places[0]);
    const damaged = await damage(places[0], places[1], image.bytes);
    const startMs = performance.now();
    await expect(restore(places[1], damaged)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^BIRD in '\S+' did not start: it ended with code 1: /),
    });
    console.log(`a restoration that failed: ${Math.round(performance.now() - startMs)} ms`);
    await settle(places[0], 'stayed');
    expect(birds(places[1])).toEqual([]);
    expect(await report(places[1])).toBeUndefined();
    await longEnough();
    await settled(places[0]);
    expect(events()).toBe(before);
  });

  it('a router moves there and back, and the adjacencies never leave Full', async () => {
    const before = events();
    await move(places[0], places[1]);
    expect(birds(places[0])).toEqual([]);
    expect(birds(places[1])).toMatchObject([{ isStopped: false }]);
    expect(await report(places[0])).toBeUndefined();
    expect(await report(places[1])).toMatchObject({ state: 'running', restarts: 0, processes: [{ name: 'bird' }] });
    // Packets may still arrive at the old place.
    expect(await daemonRoutes(places[0], 'r')).toEqual(allOfR);
    expect(await daemonRoutes(places[1], 'r')).toEqual(allOfR);
    await longEnough();
    await settled(places[1]);
    expect(logOf(places[1], 'r')).not.toContain('my own router ID');
    await move(places[1], places[0]);
    await longEnough();
    await settled(places[0]);
    expect(events()).toBe(before);
  });

  it('the one that arrived is watched like any other: it takes its configuration, and starts again', async () => {
    const up = daemon(
      places[0],
      'r',
      links.map(({ far }) => far),
    );
    expect(await places[0].apply([up])).toEqual(['unchanged']);
    const more = {
      ...up,
      config: `${config(
        'r',
        links.map(({ far }) => far),
      )}# another one\n`,
    } as OperationInput;
    expect(await places[0].apply([more])).toEqual(['changed']);
    expect(birds(places[0])).toHaveLength(1);
    const before = events();
    process.kill(birds(places[0])[0]!.pid, 'SIGKILL');
    await expect.poll(() => report(places[0]), patience).toMatchObject({ state: 'running', restarts: 1 });
    await settled(places[0]);
    // A cold start shows that events are counted.
    expect(events()).toBeGreaterThan(before);
  });

  it('an agent that is killed leaves one living daemon, whatever the step', async () => {
    const [from, to] = places;
    const before = events();
    const recordOf = (node: AgentNode) => join(node.directory, 'run', 'test.daemons', `${node.router('r')}.json`);
    const image = await dump(from);
    await killAgent(from);
    // Only the controller knows whether the copy runs.
    expect(await report(from)).toMatchObject({ state: 'moving' });
    expect(birds(from)).toMatchObject([{ isStopped: true }]);
    await relay(from, to);
    await restore(to, image);
    // As if the agent had been killed before it answered: no controller knows of the copy.
    await killAgent(to);
    writeFileSync(
      recordOf(to),
      JSON.stringify({ ...JSON.parse(readFileSync(recordOf(to), 'utf8')), move: 'restoring' }),
    );
    await expect.poll(() => report(to), patience).toBeUndefined();
    expect(birds(to)).toEqual([]);
    // As if it had been killed before the checkpoint was complete: no other node can have it.
    await killAgent(from);
    writeFileSync(
      recordOf(from),
      JSON.stringify({ ...JSON.parse(readFileSync(recordOf(from), 'utf8')), move: 'dumping' }),
    );
    await expect.poll(() => report(from), patience).toMatchObject({ state: 'running' });
    expect(birds(from)).toMatchObject([{ isStopped: false }]);
    await settled(from);
    console.log(`neighbour events while agents were killed: ${events() - before}`);
    expect(agentLog(to)).toContain('removed a copy that was being restored');
  });

  it('a step that cannot be written down leaves one living daemon, as on a full disk', async () => {
    const [from, to] = places;
    const recordOf = (node: AgentNode) => join(node.directory, 'run', 'test.daemons', `${node.router('r')}.json`);
    /** While `body` runs, the agent cannot replace the record. */
    async function withoutRecord(node: AgentNode, body: () => Promise<unknown>): Promise<void> {
      const fresh = `${recordOf(node)}.new`;
      mkdirSync(fresh, { recursive: true });
      await body().finally(() => rmdirSync(fresh));
    }
    const isAlive = async () => {
      expect(await report(from)).toMatchObject({ state: 'running' });
      expect(birds(from)).toMatchObject([{ isStopped: false }]);
      expect(birds(to)).toEqual([]);
      expect(await report(to)).toBeUndefined();
    };
    await withoutRecord(from, () => expect(dump(from)).rejects.toMatchObject({ code: 'failed' }));
    await isAlive();
    const image = await dump(from);
    await relay(from, to);
    await withoutRecord(to, () => expect(restore(to, image)).rejects.toMatchObject({ code: 'failed' }));
    await withoutRecord(from, () => settle(from, 'stayed'));
    await isAlive();
    // The record still says that it is stopped.
    expect(JSON.parse(readFileSync(recordOf(from), 'utf8'))).toMatchObject({ move: 'dumped' });
    await killAgent(from);
    await isAlive();
    await settled(from);
  });

  it('what has arrived of a checkpoint is removed when it is of no use', async () => {
    const [from, to] = places;
    const incoming = join(daemonRoot, `.incoming-${to.router('r')}`);
    await dump(from);
    await relay(from, to);
    expect(existsSync(incoming)).toBe(true);
    await settle(to, 'stayed');
    expect(existsSync(incoming)).toBe(false);
    await settle(from, 'stayed');
  });

  it('FRR is refused with the reason', async () => {
    await places[1].apply([
      {
        op: 'daemon_up',
        namespace: places[1].router('r'),
        kind: 'frr',
        protocols: ['ospf'],
        config: 'router ospf\nexit\n',
      },
    ]);
    await expect(dump(places[1])).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('CRIU cannot restore the netlink groups'),
    });
  });

  it('a policy that names nothing more forbids it', async () => {
    await expect(neighbours.client().call('daemon_dump', { namespace: neighbours.router('a') })).rejects.toMatchObject({
      code: 'forbidden',
      hint: expect.stringContaining("'*' does not include it"),
    });
    const { features } = await neighbours.client().call('hello', {});
    expect(features).toContainEqual({
      name: 'criu',
      available: false,
      detail: 'the policy does not allow daemon_dump and daemon_restore',
    });
  });
});
