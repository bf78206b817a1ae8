/**
 * The long-running controller: jobs, health, repair and the HTTP API in one process on one database. Commands work on
 * that database at the same time. When the signal aborts, a running migration reaches a safe point, then the service
 * ends.
 */
import { systemClock } from '../clock/clock.ts';
import { keepConnections } from '../controller/base/connections.ts';
import { isDead, thisProcess } from '../controller/base/lock.ts';
import { describeUnfinished } from '../controller/base/unfinished.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { defaultRetention } from '../store/prune.ts';
import type { Store } from '../store/store.ts';
import { checkAllowedHosts } from './http/guard.ts';
import { createHttpServer } from './http/server.ts';
import { requireToken } from './http/token.ts';
import { newToken, removeToken, tokenPath, writeToken } from './http/token-file.ts';
import { startJobs } from './jobs/start.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics/metrics.ts';
import { resumeInterrupted } from './recovery.ts';
import { type ServiceContext, startWatching } from './watching.ts';

export interface ServeOptions {
  readonly host: string;
  /** 0 stands for any free port. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  /** Undefined: on loopback the service makes a token, and only requests that change something need it. */
  readonly token: string | undefined;
  readonly acceptNewHostKeys: boolean;
  /** The version of the program. */
  readonly version: string;
}

/** The time between two signs of life in the database. */
const seenMs = 2000;
/** The time between two removals of old records. */
const pruneMs = 3_600_000;
/** The monitor makes four rounds per second; if none came for this long, something is stuck. */
const stuckMs = 30_000;

/**
 * Runs until the signal aborts. Throws VnmError `conflict` if another service uses this database or the port is in use,
 * `usage` if a token is needed.
 */
export async function serve(store: Store, options: ServeOptions, log: Log, outside: AbortSignal): Promise<void> {
  requireToken(options.host, options.token);
  checkAllowedHosts(options.allowedHosts);
  refuseSecond(store);
  // Also aborts when the service cannot start.
  const ending = new AbortController();
  const signal = AbortSignal.any([outside, ending.signal]);
  const connections = keepConnections();
  const context: ServiceContext = {
    store,
    acceptNewHostKeys: options.acceptNewHostKeys,
    report: ({ text }) => log.debug('progress', text),
    signal,
    connections,
  };
  const jobs = startJobs(context, log, (job, outcome) => metrics.countJobRun(job, outcome));
  const watching = startWatching(context, log, {
    healthChanged: ({ slice, kind, to }) => metrics.countHealthChange(slice.name, kind, to),
    repaired: (slice, outcome) => metrics.countRepair(slice, outcome),
  });
  const metrics = createMetrics(
    store,
    {
      agents: () =>
        watching.monitor.agents().map(({ slice, node, facts }) => ({ slice, node, version: facts.agent.version })),
      jobs: () => jobs.api.names(),
    },
    options,
  );
  const alive = () => {
    const quietMs = systemClock.monotonicMs() - watching.monitor.lastRoundMs();
    return { ok: quietMs < stuckMs, detail: `last health check ${(quietMs / 1000).toFixed(1)} s ago` };
  };
  const own = options.token === undefined ? { token: newToken(), path: tokenPath(store.path) } : undefined;
  const access = own === undefined ? givenToken(options.token!) : { token: own.token, tokenFor: 'changes' as const };
  const parts = { store, context: () => context, jobs: jobs.api, metrics, log, alive, signal };
  const every = [setInterval(() => quietly(() => store.health.seen(Date.now())), seenMs), setInterval(prune, pruneMs)];
  try {
    const http = await createHttpServer(parts, { ...options, ...access });
    const url = await http.listen();
    register(store, url);
    if (own !== undefined) writeToken(own.path, own.token);
    prune();
    log.info(
      'started',
      `listening on ${url}, database ${store.path}${own === undefined ? '' : `, token in ${own.path}`}`,
    );
    const resuming = resumeInterrupted(context, (err, migration) => {
      const what = migration === undefined ? 'cannot read the interrupted migrations' : describeUnfinished(migration);
      const { slice, vn, id } = migration ?? {};
      log.warn('resume-failed', `${what}: ${messageOf(err)}`, { slice, vn, migration: id, err });
    });
    await aborted(signal);
    log.info('ending', 'ending as soon as running migrations reach a safe point');
    await Promise.all([http.close(), resuming]);
  } finally {
    ending.abort(new VnmError('interrupted', 'the service ends'));
    for (const timer of every) clearInterval(timer);
    await Promise.all([jobs.ended(), watching.ended()]);
    connections.closeAll();
    quietly(() => unregister(store));
    if (own !== undefined) removeToken(own.path, own.token);
    log.info('ended', 'ended');
  }

  /** Logs a failure, for example while another process holds the database: the next interval tries again. */
  function quietly(body: () => void): void {
    try {
      body();
    } catch (err) {
      log.warn('database-busy', messageOf(err), { err });
    }
  }

  function prune(): void {
    quietly(() => {
      const rows = store.prune(defaultRetention, Date.now());
      if (rows > 0) log.info('pruned', `removed ${rows} old events and migrations`);
    });
  }
}

function givenToken(token: string) {
  return { token, tokenFor: 'everything' as const };
}

function refuseSecond(store: Store): void {
  const other = store.health.service();
  if (other !== undefined && !isDead(other)) throw alreadyThere(store, other);
}

/** Registers the service once its URL is known. Throws VnmError `conflict` if another service was quicker. */
function register(store: Store, url: string): void {
  const nowMs = Date.now();
  const other = store.health.register({ ...thisProcess(), url, startedAt: nowMs, seenAt: nowMs }, isDead);
  if (other !== undefined) throw alreadyThere(store, other);
}

/** Removes this service's registration, but not that of another service, which may be why this one ends. */
function unregister(store: Store): void {
  const { pid, processStart } = thisProcess();
  const there = store.health.service();
  if (there?.pid === pid && there.processStart === processStart) store.health.unregister();
}

function alreadyThere(store: Store, { pid, host, url }: { pid: number; host: string; url: string }): VnmError {
  return new VnmError('conflict', `another service already uses ${store.path} (process ${pid} on ${host}, ${url})`, {
    hint: 'use that service, which serves all slices; or end it; or choose another database with --db',
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
