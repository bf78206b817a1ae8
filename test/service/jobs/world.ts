/** A runner of jobs in simulated time, with a clock that tests can set and stop, simulated migrations and processes. */

import type { MigrateOptions, MigrateResult } from '../../../src/controller/migrate.ts';
import { VnmError } from '../../../src/model/errors.ts';
import type { Slice } from '../../../src/model/slice.ts';
import type { Instance } from '../../../src/planning/instance.ts';
import type { JobClock } from '../../../src/service/jobs/clock.ts';
import { createRunner, type Runner, type RunnerReport } from '../../../src/service/jobs/runner.ts';
import type { JobRecord, NewJob, RunRecord } from '../../../src/store/jobs.ts';
import { openStore, type Store } from '../../../src/store/store.ts';

interface Timer {
  readonly atMs: number;
  readonly body: () => void;
}

/** Timers follow elapsed time; the wall clock may be set. */
class FakeClock implements JobClock {
  passedMs = 0;
  private wallMs: number;
  private timers: Timer[] = [];

  constructor(startMs: number) {
    this.wallMs = startMs;
  }

  now(): number {
    return this.wallMs + this.passedMs;
  }

  after(ms: number, body: () => void): () => void {
    const timer = { atMs: this.passedMs + ms, body };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Without node-cron, which has its own tests, the runner relies on its timer. */
  start() {
    return { next: () => undefined, stop: () => {} };
  }

  /** Sets the clock. */
  set(byMs: number): void {
    this.wallMs += byMs;
  }

  /** Simulates a sleep of the machine. */
  sleep(ms: number): void {
    this.passedMs += ms;
  }

  /** Drops all timers, as when a process is killed. */
  forget(): void {
    this.timers = [];
  }

  async pass(ms: number): Promise<void> {
    const end = this.passedMs + ms;
    for (;;) {
      await settled();
      let next: Timer | undefined;
      for (const timer of this.timers)
        if (timer.atMs <= end && (next === undefined || timer.atMs < next.atMs)) next = timer;
      if (next === undefined) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.passedMs = Math.max(this.passedMs, next.atMs);
      next.body();
    }
    this.passedMs = Math.max(this.passedMs, end);
  }

  async passUntil(atMs: number): Promise<void> {
    await this.pass(atMs - this.now());
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A migration that began. */
interface Begun {
  readonly job: string;
  readonly router: string | undefined;
  readonly to: string;
  /** The start by the wall clock. */
  readonly atMs: number;
  /** The start by elapsed time, like `endMs`. */
  readonly beganMs: number;
  endedMs: number | undefined;
}

/** How long a migration lasts and how it ends. */
export interface Fate {
  readonly ms: number;
  readonly outcome?: 'completed' | 'rolled-back' | 'failed' | Error;
}

export interface World {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly begun: Begun[];
  readonly reports: RunnerReport[];
  readonly errors: unknown[];
  /** The placement of each VN. */
  readonly places: Map<string, string>;
  /** The VNs that another command works on. */
  readonly held: Set<string>;
  fateOf: (job: JobRecord, nth: number) => Fate;
  add(job: Partial<NewJob> & { name: string }): JobRecord;
  /** Starts a service. */
  start(): Runner;
  /** Ends the service on request. */
  stop(): Promise<void>;
  /** Kills the service. */
  kill(): void;
  /** Oldest first. */
  runs(name: string): RunRecord[];
  job(name: string): JobRecord;
  close(): void;
}

const start = Date.parse('2026-01-01T00:00:00Z');

interface WorldOptions {
  readonly heartbeatMs?: number;
  readonly startMs?: number;
  /** Replaces the fake clock. */
  readonly time?: JobClock;
}

export function createWorld({ heartbeatMs, startMs = start, time }: WorldOptions = {}): World {
  const real = openStore(':memory:');
  const places = new Map<string, string>();
  const clock = new FakeClock(startMs);
  const migrations = { ...real.migrations, list: () => [], unfinished: () => [] };
  // Each VN has one router, and each placement places it on a node of the same name.
  const placed = (placement: string) => new Map([['a', placement]]);
  const vns: string[] = [];
  const idOf = (vn: string) => (vns.includes(vn) ? vns.indexOf(vn) : vns.push(vn) - 1);
  const store: Store = {
    ...real,
    migrations,
    slices: {
      ...real.slices,
      find: () =>
        ({
          vns: real.jobs.list().map(({ vn, placements }) => ({
            name: vn,
            placements: new Map(['initial', ...placements].map((name) => [name, placed(name)])),
          })),
        }) as unknown as Slice,
    },
    instances: {
      ...real.instances,
      active: (slice, vn) => ({
        ...someInstance,
        id: idOf(vn),
        slice,
        vn,
        placementName: places.get(vn) ?? 'initial',
      }),
      plan: (id) => ({ placement: placed(places.get(vns[id]!) ?? 'initial') }) as unknown as Instance,
    },
  };
  let pid = 0;
  const counts = new Map<string, number>();
  const dead = new Set<number>();
  let abort = new AbortController();
  let runner: Runner | undefined;

  const world: World = {
    clock,
    store,
    begun: [],
    reports: [],
    errors: [],
    places,
    held: new Set(),
    fateOf: () => ({ ms: 1501 }),
    add: (job) => store.jobs.add({ ...defaults, vn: job.name, ...job }, (time ?? clock).now()),
    start: () => {
      pid += 1;
      abort = new AbortController();
      runner = createRunner({
        store,
        clock: time ?? clock,
        holder: { ...process, pid },
        isDead: (holder) => dead.has(holder.pid),
        signal: abort.signal,
        migrate,
        isHeld: ({ vn }) => world.held.has(vn),
        report: (report) => world.reports.push(report),
        onError: (error) => world.errors.push(error),
        ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
      });
      runner.tick();
      return runner;
    },
    stop: async () => {
      abort.abort(new VnmError('interrupted', 'told to end'));
      await runner?.ended();
      runner = undefined;
    },
    kill: () => {
      clock.forget();
      dead.add(pid);
      for (const one of world.begun) one.endedMs ??= clock.passedMs;
      runner = undefined;
    },
    runs: (name) => store.jobs.runs(world.job(name).id, 1_000_000).reverse(),
    job: (name) => store.jobs.find(name)!,
    close: () => real.close(),
  };

  async function migrate(job: JobRecord, options: MigrateOptions, signal: AbortSignal): Promise<MigrateResult> {
    if (world.held.has(job.vn)) throw new VnmError('conflict', `VN '${job.vn}' is in use`);
    const nth = counts.get(job.name) ?? 0;
    counts.set(job.name, nth + 1);
    const fate = world.fateOf(job, nth);
    const one: Begun = {
      job: job.name,
      router: options.router,
      to: options.to,
      atMs: (time ?? clock).now(),
      beganMs: clock.passedMs,
      endedMs: undefined,
    };
    world.begun.push(one);
    const interrupted = await lasting(time ?? clock, fate.ms, signal);
    one.endedMs = clock.passedMs;
    if (fate.outcome instanceof Error && !interrupted) throw fate.outcome;
    const outcome = interrupted ? 'rolled-back' : ((fate.outcome as MigrateResult['outcome']) ?? 'completed');
    if (outcome === 'completed') places.set(job.vn, options.to);
    const error = interrupted ? 'told to end' : 'a node is unreachable';
    return {
      ...someResult,
      id: null,
      from: 'initial',
      ...options,
      method: options.method ?? 'instance',
      urpf: 'feasible',
      outcome,
      interrupted,
      ...(outcome === 'completed' ? {} : { error }),
    };
  }

  return world;
}

/** Returns whether it was interrupted. */
function lasting(clock: JobClock, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = () => {
      cancel();
      resolve(true);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve(false);
    });
    signal.addEventListener('abort', stop);
  });
}

const process = { host: 'here', boot: 'now', processStart: '1' };
const defaults: Omit<NewJob, 'name' | 'vn'> = {
  slice: 'three',
  router: null,
  placements: ['final', 'initial'],
  cron: null,
  at: null,
  timezone: 'UTC',
  options: JSON.stringify({ control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false }),
  missed: 'skip',
  retries: 3,
  retryWaitMs: 60_000,
  latestStartMs: 300_000,
};
const someInstance = { id: 1, slot: 0, state: 'active', createdAt: 0 } as const;
const someResult = {
  slice: 'three',
  vn: 'three',
  durationMs: 1,
  phases: [],
  moves: [],
  redirections: [],
  flows: [],
  unreachable: [],
  fromRecord: [],
};
