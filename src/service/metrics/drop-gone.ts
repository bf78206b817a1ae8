import type { Counter } from 'prom-client';
import type { Store } from '../../store/store.ts';
import type { Instruments } from './instruments.ts';
import type { MetricsSource } from './source.ts';

type Values<L extends string> = Partial<Record<L, string | number>>;

/** Removes the series of counters whose slice, VN, flow or job no longer exists. */
export async function dropGone(instruments: Instruments, { slices }: Store, source: MetricsSource): Promise<void> {
  const jobs = new Set(source.jobs());
  const known = new Set<string>();
  for (const { name: slice, vns } of slices.names().flatMap((name) => slices.find(name) ?? [])) {
    known.add(key(slice));
    for (const { name: vn, flows } of vns) {
      known.add(key(slice, vn));
      for (const { from, to } of flows) known.add(key(slice, vn, from, to));
    }
  }
  await keep(instruments.migrations, ({ slice, vn }) => known.has(key(slice, vn)));
  for (const counter of [instruments.lost, instruments.sent])
    await keep(counter, ({ slice, vn, from, to }) => known.has(key(slice, vn, from, to)));
  await keep(instruments.healthChanges, ({ slice }) => known.has(key(slice)));
  await keep(instruments.repairs, ({ slice }) => known.has(key(slice)));
  await keep(instruments.jobRuns, ({ job }) => jobs.has(String(job)));
}

async function keep<L extends string>(counter: Counter<L>, isKnown: (labels: Values<L>) => boolean): Promise<void> {
  const { values } = await counter.get();
  for (const { labels } of values) if (!isKnown(labels)) counter.remove(labels);
}

/** Joins names unambiguously. */
function key(...names: (string | number | undefined)[]): string {
  return JSON.stringify(names);
}
