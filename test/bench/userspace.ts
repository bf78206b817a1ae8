/**
 * Measures what a router of the userspace plane costs: the packets per second that it forwards next to a relay that
 * only passes datagrams on, and to a router of the kernel plane, and the latency that it adds. The sender, what
 * forwards and the receiver are processes of their own, on loopback; those of the kernel's router have a namespace.
 */
import { table } from '../../src/cli/output.ts';
import { interruptible, progress, quantile } from './harness.ts';
import { addressesIn, prefixesOf } from './userspace/datagrams.ts';
import type { Place } from './userspace/end.ts';
import { startKernelRouter } from './userspace/kernel-router.ts';
import {
  type Ends,
  type Latency,
  measureLatencies,
  measureRate,
  type Rate,
  receive,
  type Subject,
} from './userspace/measure.ts';
import type { Side } from './userspace/router.ts';
import { startWorker, type Worker } from './userspace/workers.ts';

/** Of IP packets. */
const sizes = [200, 1470] as const;
const routeCounts = [10, 1000, 100_000] as const;
const latencyBytes = 200;
/** Packets go to so many addresses; more would not fit into the sender's caches. */
const addressCount = 4096;
const forMs = 500;

type Row = (string | number)[];

interface Results {
  readonly rates: Row[];
  readonly latencies: Row[];
}

export async function userspaceBench(rounds = 11, pings = 3000): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const inProcesses = await measureProcesses(rounds, pings);
  const inKernel = isRoot ? await interruptible(() => measureKernel(rounds, pings)) : { rates: [], latencies: [] };
  const rateHeading = [
    'bytes',
    'forwards',
    'routes',
    'packets/s',
    'ratio',
    'per processor s',
    'ratio',
    'best',
    'ratio',
  ];
  const latencyHeading = ['path', 'routes', 'round trip: median us', 'p99 us', 'added per hop: median us', 'p99 us'];
  return [
    table(rateHeading, [...inProcesses.rates, ...inKernel.rates]),
    table(latencyHeading, [...inProcesses.latencies, ...inKernel.latencies]),
  ].join('\n\n');
}

const addressesFor = (routes: number) => addressesIn(prefixesOf(routes), addressCount);

/** `body` gets workers that end with it. */
async function withWorkers<T>(body: (start: typeof startWorker) => Promise<T>): Promise<T> {
  const workers: Worker[] = [];
  try {
    return await body((namespace) => {
      const worker = startWorker(namespace);
      workers.push(worker);
      return worker;
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}

async function openEnds(
  start: typeof startWorker,
  { near, far }: Readonly<Record<Side, Place>>,
  kind: Ends['kind'],
  namespace?: string,
): Promise<Ends> {
  const workers = { near: start(namespace), far: start(namespace) };
  const places = {
    near: { ...near, port: await workers.near.call('open', near) },
    far: { ...far, port: await workers.far.call('open', far) },
  };
  return { workers, places, kind };
}

function measureProcesses(rounds: number, pings: number): Promise<Results> {
  return withWorkers(async (start) => {
    const anyPort = { address: '127.0.0.1', port: 0 };
    const ends = await openEnds(start, { near: anyPort, far: anyPort }, 'udp');
    const ports = { near: ends.places.near.port, far: ends.places.far.port };
    const relay = start();
    const port = await relay.call('startRelay', ports);
    const addresses = addressesFor(routeCounts[0]);
    const subjects: Subject[] = [{ name: 'relay', addresses, ends, place: { ...anyPort, port }, worker: relay }];
    for (const routes of routeCounts) {
      const worker = start();
      const place = { ...anyPort, port: await worker.call('startRouter', { ...ports, routes }) };
      subjects.push({ name: 'userspace router', routes, addresses: addressesFor(routes), ends, place, worker });
    }
    const rates = await measureRates(subjects, rounds);
    const latencies = latencyRows(subjects, await measureLatencies(subjects, latencyBytes, pings));
    return { rates, latencies };
  });
}

async function measureKernel(rounds: number, pings: number): Promise<Results> {
  const router = await startKernelRouter();
  try {
    return await withWorkers(async (start) => {
      const ends = await openEnds(start, router.ends, 'vxlan', router.namespace);
      const rates: Row[] = [];
      let subject: Subject | undefined;
      for (const routes of routeCounts) {
        router.addRoutes(prefixesOf(routes));
        subject = { name: 'kernel router', routes, addresses: addressesFor(routes), ends, place: router.place };
        rates.push(...(await measureRates([subject], rounds)));
      }
      const latencies = latencyRows([subject!], await measureLatencies([subject!], latencyBytes, pings));
      return { rates, latencies };
    });
  } finally {
    await router.remove();
  }
}

/** Subjects take turns. */
async function measureRates(subjects: readonly Subject[], rounds: number): Promise<Row[]> {
  await receive(subjects[0]!.ends);
  const rows: Row[] = [];
  for (const bytes of sizes) {
    const rates: Rate[][] = subjects.map(() => []);
    for (const subject of subjects) await measureRate(subject, bytes, forMs);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, subject] of subjects.entries()) rates[index]!.push(await measureRate(subject, bytes, forMs));
      progress(`${subjects.at(-1)!.name}, ${bytes} bytes`, round + 1, rounds);
    }
    for (const [index, { name, routes = '' }] of subjects.entries()) {
      rows.push([bytes, name, routes, ...rateFigures(rates[index]!, rates[0]!)]);
    }
  }
  return rows;
}

/** Next to those of what is compared with: ratios of medians are medians of the ratios of the same round. */
function rateFigures(rates: readonly Rate[], others: readonly Rate[]): string[] {
  const figures = (unit: keyof Rate, q: number): string[] => {
    const [values, base] = [rates, others].map((all) => all.map((rate) => rate[unit])) as [number[], number[]];
    const figure = quantile(values, q);
    if (Number.isNaN(figure)) return ['', ''];
    const ratios = q === 1 ? [figure / quantile(base, 1)] : values.map((value, round) => value / base[round]!);
    return [figure.toFixed(0), rates === others ? '' : quantile(ratios, 0.5).toFixed(2)];
  };
  return [...figures('perSecond', 0.5), ...figures('perProcessorSecond', 0.5), ...figures('perProcessorSecond', 1)];
}

function latencyRows(subjects: readonly Subject[], [direct, ...through]: readonly Latency[]): Row[] {
  const us = (...values: number[]) => values.map((value) => value.toFixed(1));
  const { median, p99 } = direct!;
  const name = subjects[0]!.ends.kind === 'udp' ? 'direct' : 'direct, in a namespace';
  return [
    [name, '', ...us(median, p99), '', ''],
    ...subjects.map(({ name: subject, routes = '' }, index): Row => {
      const latency = through[index]!;
      const added = [(latency.median - median) / 2, (latency.p99 - p99) / 2];
      return [subject, routes, ...us(latency.median, latency.p99, ...added)];
    }),
  ];
}
