/** Feasible uRPF loses nothing, measured in 200 migrations under flows and 200 redirections under 20,000 packets/s. */
import { execFile, execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { activeInstance, edgeNodes } from '../../src/controller/base/resolve.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { startPhases } from '../../src/controller/migration/phases.ts';
import { acceptBoth, addInstance, clone, join, setUp } from '../../src/controller/migration/prepare.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { startTraffic } from '../../src/controller/probe/traffic.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { testbedSchema } from '../../src/testbed/record.ts';
import { redirectForthAndBack } from './forth-and-back.ts';
import { gallerySlice, onTestbed, progress, withoutLatency } from './harness.ts';

const run = promisify(execFile);

/** Runs the six flows of the three-node slice without a pause while the VN moves back and forth. */
export async function migrationsBench(dataplane: Dataplane = 'kernel', count = 200): Promise<string> {
  const body = async (context: Context, slice: Slice) => {
    const vn = slice.vns[0]!;
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    const outcomes: string[] = [];
    const flows = await withAgents(context, slice, edgeNodes(vn), async (agents) => {
      const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
      const traffic = await startTraffic(agents, planVn(slice, vn), mtu);
      for (let index = 0; index < count; index += 1) {
        const to = index % 2 === 0 ? 'final' : 'initial';
        const options = {
          to,
          control: 'gateway',
          schedule: 'optimal',
          granularity: 'gateway',
          urpf: 'feasible',
          traffic: false,
        } as const;
        outcomes.push((await migrate(context, slice, vn, options)).outcome);
        progress('migrations', index + 1, count);
      }
      return traffic.finish();
    });
    const rows = flows.map((flow) => [
      `${flow.from} -> ${flow.to}`,
      flow.sent,
      flow.lost,
      flow.duplicated,
      flow.reordered,
      flow.maxGapMs.toFixed(0),
    ]);
    const completed = outcomes.filter((outcome) => outcome === 'completed').length;
    return `${completed} of ${count} migrations completed\n${table(['flow', 'sent', 'lost', 'duplicated', 'reordered', 'longest gap ms'], rows)}`;
  };
  return onTestbed(gallerySlice('three-node'), body, dataplane);
}

const packetsPerSecond = 20_000;
const packetBytes = 64;
/** The number of redirections of each gateway armed at a time, and the time between two of them. */
const armedAhead = 20;
const spacingMs = 200;

/** Runs iperf3 both ways over the two-node slice without latency: undisturbed, and during 200 redirections. */
export async function packetsBench(count = 200): Promise<string> {
  const slice = withoutLatency(gallerySlice('two-node'));
  const rows = await onTestbed(slice, async (context) => {
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    return underLoad(context, slice, count);
  });
  const heading = [
    'redirections',
    'direction',
    'sent',
    'packets/s',
    'lost',
    'reordered or duplicated',
    'receiver too slow',
  ];
  return table(heading, rows);
}

async function underLoad(context: Context, slice: Slice, count: number): Promise<(string | number)[][]> {
  const vn = slice.vns[0]!;
  const to = { name: 'final', placement: vn.placements.get('final')! };
  const old = activeInstance(context.store, slice, vn);
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
  return withAgents(context, slice, nodes, async (agents) => {
    const phases = startPhases(context);
    const both: Run = {
      ...planVn(slice, vn),
      names: agents,
      context,
      agents,
      old,
      to,
      urpf: 'feasible',
      gated: false,
      mtu,
      phases,
    };
    const fresh = addInstance(both);
    await setUp(both, fresh.instance);
    const cloned = await clone(both, fresh.instance);
    await join(both, fresh.instance, cloned);
    await acceptBoth(both, fresh.instance);
    const batches = Math.ceil(count / armedAhead);
    const seconds = Math.ceil(batches * (2.5 + (armedAhead * spacingMs) / 1000));
    const control = await startLoad(context, slice, Math.min(seconds, 20));
    const quiet = await control.finish();
    const load = await startLoad(context, slice, seconds);
    for (let batch = 0; batch < batches; batch += 1) {
      await redirectForthAndBack(both, fresh, armedAhead, spacingMs);
      progress('redirections', (batch + 1) * armedAhead, batches * armedAhead);
    }
    if (load.isOver()) throw new Error('the load ended before the redirections');
    const redirected = await load.finish();
    return [...quiet.map((row) => [0, ...row]), ...redirected.map((row) => [batches * armedAhead, ...row])];
  });
}

interface IperfReport {
  readonly end: {
    readonly sum_received: { packets: number; lost_packets: number; seconds: number };
    readonly sum_sent: { packets: number };
  };
  readonly intervals: readonly { readonly sum: { readonly out_of_order?: number } }[];
}

/** Starts an iperf3 server and client per direction in the end hosts' namespaces. */
async function startLoad(context: Context, slice: Slice, seconds: number) {
  const testbed = testbedSchema.parse(JSON.parse(context.store.testbeds.forSlice(slice.name)!.record!));
  const inside = (node: string) => `/run/netns/${testbed.nodes.find(({ name }) => name === node)!.namespace}`;
  const [a, b] = planVn(slice, slice.vns[0]!).access.map((link) => link.hostEnd);
  const directions = [
    { name: 'e1 -> e2', from: a!, to: b!, port: '5201' },
    { name: 'e2 -> e1', from: b!, to: a!, port: '5202' },
  ];
  const receivers = directions.map(({ to }) => inside(to.node));
  const before = receivers.map(receiveBufferErrors);
  let isOver = false;
  const started = await Promise.all(
    directions.map(async ({ name, from, to, port }) => {
      const server = run(
        'nsenter',
        [`--net=${inside(to.node)}`, 'iperf3', '-s', '-1', '-J', '-B', to.address, '-p', port],
        { maxBuffer: 1e9 },
      );
      await sleep(300);
      const client = run(
        'nsenter',
        [
          `--net=${inside(from.node)}`,
          ...['iperf3', '-c', to.address, '-B', from.address, '-p', port, '-u', '-J'],
          ...['-l', String(packetBytes), '-b', String(packetsPerSecond * packetBytes * 8), '-t', String(seconds)],
        ],
        { maxBuffer: 1e9 },
      );
      return { name, server, client };
    }),
  );
  // If the redirections fail, the load ends with the testbed.
  void Promise.allSettled(started.flatMap(({ server, client }) => [server, client]));
  void Promise.race(started.map(({ client }) => client))
    .finally(() => {
      isOver = true;
    })
    .catch(() => {});
  return {
    isOver: () => isOver,
    finish: () =>
      Promise.all(
        started.map(async ({ name, server, client }, index) => {
          const sent = (JSON.parse((await client).stdout) as IperfReport).end.sum_sent.packets;
          const { end, intervals } = JSON.parse((await server).stdout) as IperfReport;
          const { lost_packets: missing, seconds: lasted } = end.sum_received;
          const outOfOrder = intervals.reduce((sum, interval) => sum + (interval.sum.out_of_order ?? 0), 0);
          const tooSlow = receiveBufferErrors(receivers[index]!) - before[index]!;
          return [name, sent, Math.round(sent / lasted), missing - tooSlow, outOfOrder, tooSlow];
        }),
      ),
  };
}

/** Returns the number of datagrams dropped at full socket buffers since the namespace was made. */
function receiveBufferErrors(namespace: string): number {
  const counters = execFileSync('nsenter', [`--net=${namespace}`, 'cat', '/proc/net/snmp'], { encoding: 'utf8' });
  const [names, values] = counters
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  return Number(values![names!.indexOf('RcvbufErrors')]);
}
