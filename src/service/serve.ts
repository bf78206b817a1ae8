/**
 * The long-running controller: jobs, health, repair and the HTTP API in one process on one database, beside which commands work as
 * ever. It ends when the signal aborts: a migration under way reaches a safe point first.
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
  /** 0: any that is free. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  /** Undefined: on loopback one is made, and only what changes something needs it. */
  readonly token: string | undefined;
  readonly acceptNewHostKeys: boolean;
  /** Of the program. */
  readonly version: string;
}

/** How often it says that it lives, and forgets what is too old to be kept. */
const seenMs = 2000;
const pruneMs = 3_600_000;
/** The monitor's rounds come four times a second; where none came for so long, something is stuck. */
const stuckMs = 30_000;

/**
 * Runs until the signal aborts. Throws VnmError `conflict` when another service is on this database or the port is taken, `usage`
 * when a token is needed.
 */
export async function serve(store: Store, options: ServeOptions, log: Log, outside: AbortSignal): Promise<void> {
  requireToken(options.host, options.token);
  checkAllowedHosts(options.allowedHosts);
  refuseSecond(store);
  // It also ends when it cannot begin.
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
    return { ok: quietMs < stuckMs, detail: `health was looked at ${(quietMs / 1000).toFixed(1)} s ago` };
  };
  const own = options.token === undefined ? { token: newToken(), path: tokenPath(store.path) } : undefined;
  const access = own === undefined ? givenToken(options.token!) : { token: own.token, tokenFor: 'changes' as const };
  const parts = { store, context: () => context, jobs: jobs.api, metrics, log, alive, signal };
  const every = [setInterval(() => quietly(() => store.health.seen(Date.now())), seenMs), setInterval(forget, pruneMs)];
  try {
    const http = await createHttpServer(parts, { ...options, ...access });
    const url = await http.listen();
    register(store, url);
    if (own !== undefined) writeToken(own.path, own.token);
    forget();
    log.info(
      'started',
      `listens on ${url}, database ${store.path}${own === undefined ? '' : `, token in ${own.path}`}`,
    );
    const resuming = resumeInterrupted(context, (err, migration) => {
      const what =
        migration === undefined ? 'interrupted migrations cannot be looked at' : describeUnfinished(migration);
      const { slice, vn, id } = migration ?? {};
      log.warn('resume-failed', `${what}: ${messageOf(err)}`, { slice, vn, migration: id, err });
    });
    await aborted(signal);
    log.info('ending', 'told to end: what is under way reaches a safe point first');
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

  /** A database that somebody else holds now is written the next time. */
  function quietly(body: () => void): void {
    try {
      body();
    } catch (err) {
      log.warn('database-busy', messageOf(err), { err });
    }
  }

  function forget(): void {
    quietly(() => {
      const rows = store.prune(defaultRetention, Date.now());
      if (rows > 0) log.info('pruned', `${rows} old events and migrations were dropped`);
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

/** Only now is it known where it listens. */
function register(store: Store, url: string): void {
  const nowMs = Date.now();
  const other = store.health.register({ ...thisProcess(), url, startedAt: nowMs, seenAt: nowMs }, isDead);
  if (other !== undefined) throw alreadyThere(store, other);
}

/** Not another one, which may be why this one ends. */
function unregister(store: Store): void {
  const { pid, processStart } = thisProcess();
  const there = store.health.service();
  if (there?.pid === pid && there.processStart === processStart) store.health.unregister();
}

function alreadyThere(store: Store, { pid, host, url }: { pid: number; host: string; url: string }): VnmError {
  return new VnmError('conflict', `a service is on ${store.path} already (process ${pid} on ${host}, ${url})`, {
    hint: 'one is enough for all slices; end it first, or take another database with --db',
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
