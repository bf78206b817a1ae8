/**
 * `node test/bench/relay-latency.ts [PACKETS_PER_SECOND]` measures how exactly the testbed's relay keeps the latencies.
 * Needs root. Four nodes send to each other for ten seconds; the error of a packet is its measured one-way latency
 * minus the declared one. It includes the delay of a receiving process that wakes up late.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { testbedDown } from '../../src/testbed/down.ts';
import { namespacePath, processesIn } from '../../src/testbed/namespaces.ts';
import { underlayNamespace } from '../../src/testbed/plan.ts';
import type { Testbed } from '../../src/testbed/record.ts';
import { testbedUp } from '../../src/testbed/up.ts';
import { sliceOf, uniqueId } from '../testbed/support.ts';

const tunnelPort = 4789;
const durationMs = 10_000;
const payloadBytes = 1200;
const links = [
  ['a', 'b', 1],
  ['a', 'c', 5.5],
  ['a', 'd', 10],
  ['b', 'c', 20],
  ['b', 'd', 40],
  ['c', 'd', 120],
] as const;

interface EndpointPlan {
  readonly peers: readonly string[];
  readonly packetsPerSecond: number;
}
/** The latencies in ms of the packets that an endpoint received, by the sender's address. */
type Latencies = Record<string, number[]>;

const endpointPlan = process.argv[2] === 'endpoint' ? process.argv[3] : undefined;
if (endpointPlan !== undefined) await runEndpoint(JSON.parse(endpointPlan));
else await runBench(Number(process.argv[2] ?? 5000));

async function runBench(packetsPerSecond: number): Promise<void> {
  const options = { id: uniqueId(), directory: await mkdtemp(join(tmpdir(), 'relay-')), server: 'embedded' } as const;
  try {
    const testbed = await testbedUp([sliceOf(['a', 'b', 'c', 'd'], links)], options);
    const cpuBefore = await relayCpuMs(testbed);
    const received = await Promise.all(
      testbed.nodes.map((_, index) => startEndpoint(testbed, index, packetsPerSecond)),
    );
    const cpuMs = (await relayCpuMs(testbed)) - cpuBefore;
    printTable(testbed, received);
    const count = received.flatMap((latencies) => Object.values(latencies).flat()).length;
    console.log(`received ${count} of ${Math.floor((packetsPerSecond * durationMs) / 1000)}`);
    console.log(`relay: ${((100 * cpuMs) / durationMs).toFixed(0)} % of one core`);
  } finally {
    await testbedDown(options);
  }
}

async function startEndpoint(testbed: Testbed, index: number, packetsPerSecond: number): Promise<Latencies> {
  const peers = testbed.nodes.filter((_, other) => other !== index).map((node) => node.address);
  const plan: EndpointPlan = { peers, packetsPerSecond: packetsPerSecond / testbed.nodes.length };
  const namespace = namespacePath(testbed.nodes[index]?.namespace as string);
  // Runs at real-time priority like the relay, if allowed, so that other load does not look like an error of the relay.
  const realtime = spawnSync('chrt', ['-f', '1', 'true']).status === 0 ? ['chrt', '-f', '1'] : [];
  const self = fileURLToPath(import.meta.url);
  const command = [
    `--net=${namespace}`,
    '--',
    ...realtime,
    process.execPath,
    '--single-threaded',
    self,
    'endpoint',
    JSON.stringify(plan),
  ];
  const { stdout } = await promisify(execFile)('nsenter', command, { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout);
}

async function runEndpoint({ peers, packetsPerSecond }: EndpointPlan): Promise<void> {
  const latencies: Latencies = Object.fromEntries(peers.map((peer) => [peer, []]));
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 4 * 1024 * 1024,
    lookup: (host, _options, callback) => callback(null, host, 4),
  });
  socket.on('message', (data, { address }) => {
    latencies[address]?.push(Number(process.hrtime.bigint() - data.readBigUInt64BE()) / 1e6);
  });
  const listening = once(socket, 'listening');
  socket.bind(tunnelPort);
  await listening;
  // The other processes start meanwhile.
  await sleep(1000);
  const total = Math.floor((packetsPerSecond * durationMs) / 1000);
  const startMs = performance.now();
  for (let sent = 0; sent < total; await sleep(1)) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) * packetsPerSecond) / 1000));
    for (; sent < due; sent += 1) {
      const packet = Buffer.alloc(payloadBytes);
      packet.writeBigUInt64BE(process.hrtime.bigint());
      socket.send(packet, tunnelPort, peers[sent % peers.length] as string);
    }
  }
  await sleep(1500);
  socket.close();
  process.stdout.write(JSON.stringify(latencies));
}

function printTable(testbed: Testbed, received: readonly Latencies[]): void {
  const rows = links.map(([from, to, expectedMs]) => {
    const indexes = [from, to].map((name) => testbed.nodes.findIndex((node) => node.name === name)) as [number, number];
    const [there, back] = [indexes, indexes.toReversed()].map(
      ([sender, receiver]) => received[receiver as number]?.[testbed.nodes[sender as number]?.address as string] ?? [],
    ) as [number[], number[]];
    return { expectedMs, latencies: [...there, ...back] };
  });
  console.log('expected ms   measured ms (median)   median error   p99 error');
  for (const { expectedMs, latencies } of rows) {
    const errors = latencies.map((ms) => Math.abs(ms - expectedMs));
    const columns = [quantile(latencies, 0.5), quantile(errors, 0.5), quantile(errors, 0.99)].map((ms) =>
      ms.toFixed(3),
    );
    console.log([expectedMs.toFixed(1).padStart(11), ...columns.map((text) => text.padStart(14))].join('  '));
  }
  const errors = rows.flatMap(({ expectedMs, latencies }) => latencies.map((ms) => Math.abs(ms - expectedMs)));
  console.log(`all: median error ${quantile(errors, 0.5).toFixed(3)} ms, p99 ${quantile(errors, 0.99).toFixed(3)} ms`);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Returns the user and system time of the relay (proc(5), stat fields 14 and 15, in hundredths of a second). */
async function relayCpuMs(testbed: Testbed): Promise<number> {
  const namespace = underlayNamespace(testbed.id);
  const [pid] = (await processesIn([namespace])).get(namespace) ?? [];
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
