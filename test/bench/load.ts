/** Traffic at a steady rate between two end hosts, by iperf3. */
import { execFile, execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Context } from '../../src/controller/base/context.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { testbedSchema } from '../../src/testbed/record.ts';

const run = promisify(execFile);

const highRate = 20_000;
const packetBytes = 64;
/** Packets that are sent at once: iperf3 calls select once for each of them otherwise. */
const burst = 10;
/** No load lasts longer. */
const longestSeconds = 86_400;

interface IperfReport {
  readonly error?: string;
  readonly end: {
    readonly sum_received: { packets: number; lost_packets: number; seconds: number };
    readonly sum_sent: { packets: number };
  };
  readonly intervals: readonly { readonly sum: { readonly out_of_order?: number } }[];
}

/** Of the rows that `finish` of a load returns. */
export const loadHeading = ['direction', 'sent', 'packets/s', 'lost', 'reordered or duplicated', 'receiver too slow'];

/**
 * Starts an iperf3 server and client per direction between the first two end hosts, in their nodes' namespaces. They
 * run until `finish`.
 */
export async function startLoad(context: Context, slice: Slice, packetsPerSecond = highRate) {
  const testbed = testbedSchema.parse(JSON.parse(context.store.testbeds.forSlice(slice.name)!.record!));
  const inside = (node: string) => `/run/netns/${testbed.nodes.find(({ name }) => name === node)!.namespace}`;
  const [one, other] = planVn(slice, slice.vns[0]!).access;
  const [a, b] = [one!.hostEnd, other!.hostEnd];
  const directions = [
    { name: `${one!.endHost} -> ${other!.endHost}`, from: a, to: b, port: '5201' },
    { name: `${other!.endHost} -> ${one!.endHost}`, from: b, to: a, port: '5202' },
  ];
  const receivers = directions.map(({ to }) => inside(to.node));
  const before = receivers.map(receiveBufferErrors);
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
          ...['-l', String(packetBytes), '-b', `${packetsPerSecond * packetBytes * 8}/${burst}`],
          ...['-t', String(longestSeconds)],
        ],
        { maxBuffer: 1e9 },
      );
      return { name, server, client };
    }),
  );
  // If what goes on meanwhile fails, the load ends with the testbed.
  void Promise.allSettled(started.flatMap(({ server, client }) => [server, client]));
  return {
    /** Ends the load. Throws if it had ended by itself. */
    finish: () =>
      Promise.all(
        started.map(async ({ name, server, client }, index) => {
          const sent = (await interrupted(client)).end.sum_sent.packets;
          const { end, intervals } = JSON.parse((await server).stdout) as IperfReport;
          const { lost_packets: missing, seconds: lasted } = end.sum_received;
          const outOfOrder = intervals.reduce((sum, interval) => sum + (interval.sum.out_of_order ?? 0), 0);
          const tooSlow = receiveBufferErrors(receivers[index]!) - before[index]!;
          return [name, sent, Math.round(sent / lasted), missing - tooSlow, outOfOrder, tooSlow];
        }),
      ),
  };
}

/** Interrupts a client, which then reports what it has sent, and calls that an error. */
async function interrupted(client: ReturnType<typeof run>): Promise<IperfReport> {
  client.child.kill('SIGINT');
  const { stdout } = await client.catch((error: { stdout: string }) => error);
  const report = JSON.parse(String(stdout)) as IperfReport;
  if (report.error?.startsWith('interrupt') !== true) throw new Error(`iperf3 ended too soon: ${report.error}`);
  return report;
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
