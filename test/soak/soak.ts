/**
 * Runs the service on the kernel testbed: a job moves the three-node VN every 30 s under its flows, with incidents on
 * the nodes. Counts packets lost by flows that do not cross an incident, repairs with their reasons and false alarms,
 * and measures whether the service grows.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountedFlow } from '../../src/controller/probe/traffic.ts';
import { findToken } from '../../src/service/http/token-file.ts';
import type { StoredEvent } from '../../src/store/events.ts';
import { crosses } from '../chaos/campaign.ts';
import { makePlace, type Place } from '../chaos/place.ts';
import { builtProgram } from '../support/program.ts';
import type { Incident, Strike } from './incidents.ts';
import { collecting, type Sample, sampleOf } from './samples.ts';

export interface Plan {
  readonly minutes: number;
  /** The incidents, in s after the first due time of the job, which is due every half minute. */
  readonly strikes: readonly { readonly atSeconds: number; readonly strike: Strike }[];
}

/** The packets of one flow in one period of traffic. */
interface Stretch {
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly lost: number;
  readonly reordered: number;
  readonly duplicated: number;
  /** Whether the flow crossed a node during an incident there. */
  readonly isHurt: boolean;
}

export interface SoakResult {
  readonly stretches: readonly Stretch[];
  readonly incidents: readonly Incident[];
  readonly migrations: Readonly<Record<string, number>>;
  readonly jobRuns: Readonly<Record<string, number>>;
  readonly events: readonly StoredEvent[];
  readonly samples: readonly Sample[];
  /** The exit code of the service when it was stopped. */
  readonly exitCode: number | null;
  /** The number of differences between nodes and database at the end. */
  readonly differences: number;
}

const name = 'back-and-forth';
const jobEveryMs = 30_000;
const stretchMs = 60_000;
const sampleMs = 15_000;
const startMs = 30_000;

export async function soak(plan: Plan, say: (text: string) => void): Promise<SoakResult> {
  const place = await makePlace('three-node', { divideLatenciesBy: 1 });
  let service: ChildProcess | undefined;
  try {
    const log = openSync(join(place.vnm.directory, 'serve.log'), 'a');
    service = spawn(
      process.execPath,
      [...collecting, builtProgram(), '--db', place.vnm.database, 'serve', '--port', '0'],
      {
        stdio: ['ignore', log, log],
        env: { ...process.env, HOME: join(place.vnm.directory, 'home') },
      },
    );
    return await runBeside(place, service, plan, say);
  } finally {
    if (service?.exitCode === null) service.kill('SIGKILL');
    await place.remove();
  }
}

async function runBeside(
  place: Place,
  service: ChildProcess,
  plan: Plan,
  say: (text: string) => void,
): Promise<SoakResult> {
  const { vnm, slice, vn, store } = place;
  const url = await urlOf(place);
  const timing = { cron: '*/30 * * * * *', retryWaitMs: 5000, latestStartMs: 20_000, retries: 20 };
  await ask({ url, database: vnm.database }, 'POST', '/api/jobs', {
    name,
    slice: slice.name,
    to: ['final', 'initial'],
    ...timing,
  });
  const endMs = Date.now() + plan.minutes * 60_000;
  const abort = new AbortController();
  const incidents: Incident[] = [];
  const samples: Sample[] = [];
  const struck = strikeAll(place, plan, incidents, abort.signal, say);
  const sampled = sampleAll(() => sampleOf(service, url, vnm.database), samples, abort.signal);
  const counted: (CountedFlow & { readonly fromMs: number; readonly toMs: number })[] = [];
  try {
    while (Date.now() < endMs) {
      const fromMs = Date.now();
      const flows = await place.underTraffic(() => sleep(Math.min(stretchMs, Math.max(1000, endMs - Date.now()))));
      for (const flow of flows) counted.push({ ...flow, fromMs, toMs: Date.now() });
      const lost = flows.reduce((sum, flow) => sum + flow.lost, 0);
      say(`${Math.max(0, Math.round((endMs - Date.now()) / 60_000))} min left, ${lost} lost in the last one`);
    }
  } finally {
    abort.abort();
    await Promise.all([struck, sampled]);
  }
  // Only now are all incidents known: each is recorded when it has ended.
  const stretches = counted.map((flow): Stretch => {
    const hurt = incidents.filter(({ hurts, fromMs, toMs }) => hurts && toMs >= flow.fromMs && fromMs <= flow.toMs);
    const isHurt = hurt.some(({ node }) => [...vn.placements.keys()].some((to) => crosses(place, flow, to, node)));
    return { ...flow, isHurt };
  });
  await ask({ url, database: vnm.database }, 'POST', `/api/jobs/${name}/pause`);
  await quiet(place);
  samples.push(await sampleOf(service, url, vnm.database));
  const live = await vnm.json<{ differences?: unknown[] }>(`status ${slice.name} --live`);
  const history = await ask({ url, database: vnm.database }, 'GET', `/api/jobs/${name}/history?limit=500`);
  service.kill('SIGTERM');
  const [exitCode] = (await once(service, 'exit')) as [number | null];
  const migrations = Object.groupBy(
    store.migrations.list(slice.name, 100_000),
    ({ outcome }) => outcome ?? 'unfinished',
  );
  const { runs } = history as { runs: { outcome: string | null }[] };
  const jobRuns = Object.groupBy(runs, ({ outcome }) => outcome ?? 'unfinished');
  return {
    stretches,
    incidents,
    migrations: countsOf(migrations),
    jobRuns: countsOf(jobRuns),
    events: store.events.list(slice.name, 100_000).toReversed(),
    samples,
    exitCode,
    differences: live.json.differences?.length ?? 0,
  };
}

async function urlOf({ store }: Place): Promise<string> {
  for (const untilMs = Date.now() + startMs; Date.now() < untilMs; await sleep(100)) {
    const record = store.health.service();
    if (record !== undefined && (await isUp(record.url))) return record.url;
  }
  throw new Error('the service does not start');
}

async function ask(
  { url, database }: { readonly url: string; readonly database: string },
  method: string,
  path: string,
  body: unknown = {},
): Promise<unknown> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${findToken(database).token}` };
  const answer = await fetch(url + path, method === 'GET' ? {} : { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`)).ok;
  } catch {
    return false;
  }
}

/** Runs the incidents one after the other, each at its time or when the previous one has ended. */
async function strikeAll(
  place: Place,
  { strikes }: Plan,
  incidents: Incident[],
  signal: AbortSignal,
  say: (text: string) => void,
) {
  const firstRunMs = Math.ceil(Date.now() / jobEveryMs) * jobEveryMs;
  const wait = (ms: number) => sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
  for (const { atSeconds, strike } of strikes) {
    await wait(firstRunMs + atSeconds * 1000 - Date.now());
    if (signal.aborted) return;
    const fromMs = Date.now();
    const incident = await strike(place, wait);
    incidents.push({ ...incident, fromMs, toMs: Date.now() });
    say(`${incident.what} (${incident.node})`);
  }
}

async function sampleAll(sample: () => Promise<Sample>, samples: Sample[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    samples.push(await sample());
    await sleep(sampleMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Waits until no migration is under way and the last damage had time to be repaired. */
async function quiet({ store, slice }: Place): Promise<void> {
  await sleep(15_000);
  for (const untilMs = Date.now() + startMs; Date.now() < untilMs; await sleep(200))
    if (store.migrations.unfinished(slice.name).length === 0 && store.locks.list(slice.name).length === 0) return;
}

function countsOf(groups: Partial<Record<string, readonly unknown[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(groups).map(([name, list]) => [name, list?.length ?? 0]));
}
