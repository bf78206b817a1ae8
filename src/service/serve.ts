/**
 * The long-running controller: jobs, health, repair and the HTTP API in one process on one database, beside which commands work as
 * ever. It ends when the signal aborts: a migration under way reaches a safe point first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../clock/clock.ts';
import { keepConnections } from '../controller/connections.ts';
import type { Context } from '../controller/context.ts';
import { isDead, thisProcess } from '../controller/lock.ts';
import { VnmError } from '../model/errors.ts';
import { defaultKeeping } from '../store/prune.ts';
import type { Store } from '../store/store.ts';
import type { Log } from './log.ts';
import { resumeInterrupted } from './recovery.ts';
import { startWatching } from './watching.ts';

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly token: string | undefined;
  readonly acceptNewHostKeys: boolean;
}

/** How often it says that it lives, and forgets what is too old to be kept. */
const seenMs = 2000;
const pruneMs = 3_600_000;

/** Throws VnmError `conflict` when another service is on this database, `usage` for what it cannot listen on. */
export async function serve(store: Store, options: ServeOptions, log: Log, signal: AbortSignal): Promise<void> {
  const url = `http://${options.host}:${options.port}`;
  const startedAt = Date.now();
  refuseSecond(store, url, startedAt);
  const connections = keepConnections();
  const report: Context['report'] = ({ text }) => log.info('progress', text);
  const context: Context = { store, acceptNewHostKeys: options.acceptNewHostKeys, report, signal, connections };
  const watching = startWatching(context, log, signal);
}

function refuseSecond(store: Store, url: string, startedAt: number): void {
  const other = store.health.register({ ...thisProcess(), url, startedAt, seenAt: startedAt }, isDead);
  if (other === undefined) return;
  const { pid, host } = other;
  throw new VnmError('conflict', `a service is on ${store.path} already (process ${pid} on ${host}, ${other.url})`, {
    hint: 'one is enough for all slices; end it first, or take another database with --db',
  });
}
