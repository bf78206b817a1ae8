/** Packets per second and latencies through what forwards between two ends. */
import { quantile } from '../harness.ts';
import type { Flow } from './datagrams.ts';
import type { Place } from './end.ts';
import type { Side } from './router.ts';
import type { Worker } from './workers.ts';

export interface Ends {
  readonly workers: Readonly<Record<Side, Worker>>;
  readonly places: Readonly<Record<Side, Place>>;
  readonly kind: Flow['kind'];
}

/** What forwards. */
export interface Subject {
  readonly name: string;
  /** Absent for what looks no route up. */
  readonly routes?: number;
  /** Where its packets go. */
  readonly addresses: readonly number[];
  readonly ends: Ends;
  readonly place: Place;
  /** The process that does it; the kernel does without. */
  readonly worker?: Worker;
}

export interface Rate {
  readonly perSecond: number;
  /** Packets per second of processor time, user and system, of the process; NaN without one. */
  readonly perProcessorSecond: number;
}

const flowTo = (subject: Subject, bytes: number, direction: Flow['direction'], count?: number): Flow => {
  return { kind: subject.ends.kind, bytes, direction, addresses: subject.addresses.slice(0, count) };
};

/** `bytes`: of the IP packets in the tunnels. The receiver must have begun. */
export async function measureRate(subject: Subject, bytes: number, forMs: number): Promise<Rate> {
  const { ends, place, worker } = subject;
  const { near, far } = ends.workers;
  const counts = async () => ({
    cpuMs: (await worker?.call('cpuMs')) ?? Number.NaN,
    packets: await far.call('received'),
  });
  const before = await counts();
  const tookMs = await near.call('send', { to: place, flow: flowTo(subject, bytes, 'there'), forMs });
  const after = await counts();
  const packets = after.packets - before.packets;
  return {
    perSecond: (1000 * packets) / tookMs,
    perProcessorSecond: (1000 * packets) / (after.cpuMs - before.cpuMs),
  };
}

export async function receive({ workers, places }: Ends): Promise<void> {
  await workers.far.call('receive', { sender: places.near });
}

/** Quantiles of round trips in microseconds. */
export interface Latency {
  readonly median: number;
  readonly p99: number;
}

/** Of the way without any hop, then of that through each subject; they have the same ends, and take turns. */
export async function measureLatencies(subjects: readonly Subject[], bytes: number, times: number): Promise<Latency[]> {
  const { workers, places } = subjects[0]!.ends;
  const direct = { ...subjects[0]!, place: places.far };
  // The kernel's tunnels send from ports of their own.
  const answers = subjects.map((subject) => ({
    from: subject.worker === undefined ? { address: subject.place.address } : subject.place,
    to: subject.place,
    flow: flowTo(subject, bytes, 'back', 1),
  }));
  const directAnswer = { from: places.near, to: places.near, flow: flowTo(direct, bytes, 'back', 1) };
  await workers.far.call('answer', { answers: [...answers, directAnswer] });
  const paths = [direct, ...subjects].map((subject) => ({
    to: subject.place,
    flow: flowTo(subject, bytes, 'there', 1),
  }));
  await workers.near.call('ping', { paths, times: Math.ceil(times / 10) });
  const roundTripsMs = await workers.near.call('ping', { paths, times });
  return roundTripsMs.map((each) => ({ median: 1000 * quantile(each, 0.5), p99: 1000 * quantile(each, 0.99) }));
}
