/**
 * Starts, watches and ends the routing daemons of a slice's routers.
 *
 *     none ──put──► running ──a process ended──► restarting ──► running
 *                     ▲  │                          │ too often
 *                     │  └──put null──► none        ▼
 *                     └────────put──────────────── failed
 *
 * Daemons outlive the agent. The next one reads from disk which daemon each namespace must have, and finds the
 * processes by their network namespace and their command: it takes over those that run, and starts only what is
 * missing. One that moves to another node is not watched meanwhile (moving/moves.ts).
 */
import { copyFileSync, statSync, truncateSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock/clock.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { DaemonState } from '../../vsys/daemon.ts';
import type { Daemon } from '../../vsys/operations.ts';
import type { KnownDaemon } from '../dataplane/planner/state.ts';
import type { Log } from '../log.ts';
import { createNamespaceTurns } from '../namespace-turns.ts';
import { run } from '../run.ts';
import type { StartOptions } from './driver.ts';
import { drivers } from './drivers.ts';
import { createMoves, type Moves } from './moving/moves.ts';
import { makeFolders, netnsId, ownerOf, type Place, placeOf, removeFolders, trialOf } from './place.ts';
import {
  endProcesses,
  findIn,
  isRunning,
  killProcesses,
  lastWords,
  preferForOom,
  type Running,
  signalProcess,
} from './processes.ts';
import { type DaemonRecords, daemonRecords } from './records.ts';
import { nextRestart } from './restarts.ts';
import type { Watched } from './watched.ts';

export interface Daemons {
  /** Takes over what a former agent left. Call it before all others. */
  resume(): Promise<void>;
  /** The daemons that there must be, by namespace, and how they are. */
  known(): ReadonlyMap<string, KnownDaemon>;
  /**
   * Makes the namespace have this daemon, or none (null). Throws VnmError; then the one before is there as it was.
   * BIRD takes another configuration while it runs and keeps the adjacencies that the configuration keeps; FRR is
   * started again, since it can only add to the configuration that it has. `graceful`: one that starts takes over the
   * forwarding entries that are there, one that ends leaves them, and its neighbours wait.
   */
  put(namespace: string, daemon: Daemon | null, how?: { readonly graceful?: boolean }): Promise<void>;
  /** Throws VnmError `not-found`, `failed`. */
  state(namespace: string): Promise<DaemonState>;
  readonly moving: DaemonMoving;
  /** Changes of adjacencies since the daemon logs them, by neighbour. Throws VnmError `not-found`, `failed`. */
  neighbourEvents(namespace: string): Promise<Readonly<Record<string, number>>>;
  /** Stops watching; the daemons stay. */
  close(): void;
}

/** See `Moves`. */
export type DaemonMoving = Pick<Moves, 'dump' | 'restore' | 'settle' | 'read' | 'write'>;

export interface DaemonsParts {
  /** The directory of the records. */
  readonly records: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
}

/** How often to look at the processes: a small part of the time after which neighbours give a router up. */
const watchMs = 500;
const maxLogBytes = 1024 * 1024;

export function createDaemons({ records: directory, clock, log }: DaemonsParts): Daemons {
  const records: DaemonRecords = daemonRecords(directory);
  const watched = new Map<string, Watched>();
  const { inTurn, isBusy } = createNamespaceTurns();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function resume(): Promise<void> {
    for (const { namespace, daemon, netns, isReady, move, isLeaving } of records.read()) {
      const one: Watched = { place: placeOf(namespace), netns, daemon, processes: [], state: 'running', restarts: [] };
      if (isLeaving) {
        await kill(one);
        records.remove(namespace);
        continue;
      }
      if (move !== undefined) one.move = move;
      watched.set(namespace, one);
      if (!(await moves.resume(one))) continue;
      const found = await drivers[daemon.kind].find();
      if ('version' in found) one.version = found.version;
      if (netnsId(one.place) === netns) await drivers[daemon.kind].resume?.(one.place);
      if (!isReady) await endProcesses(() => findIn(netns));
      look(one);
      const kept = one.processes.map(({ name, pid }) => `${name} ${pid}`).join(', ') || 'nothing, it has ended';
      log(`daemon '${daemon.kind}' in '${namespace}': took over ${kept}`);
    }
    if (watched.size > 0) watch();
  }

  function watch(): void {
    if (isClosed) return;
    timer ??= setInterval(() => {
      for (const [namespace, one] of watched) {
        if (isBusy(namespace)) continue;
        try {
          check(namespace, one);
        } catch (error) {
          log(messageOf(error));
        }
      }
    }, watchMs);
    timer.unref();
  }

  /** Finds the processes. */
  function look(one: Watched): void {
    const names = drivers[one.daemon.kind].processesOf(one.daemon);
    one.processes = findIn(one.netns).filter(({ name }) => names.includes(name));
  }

  function check(namespace: string, one: Watched): void {
    // A checkpoint fits the log only as it was.
    if (one.move === undefined) keepLogSmall(one.place);
    if (netnsId(one.place) !== one.netns) {
      void inTurn(namespace, () => forget(namespace, one)).catch((error) => log(messageOf(error)));
    } else if (one.move === undefined && one.state !== 'failed' && missingOf(one).length > 0) {
      void inTurn(namespace, () => startAgain(namespace, one)).catch((error) => log(messageOf(error)));
    }
  }

  function missingOf({ daemon, processes }: Watched): string[] {
    const running = processes.filter(isRunning).map(({ name }) => name);
    return drivers[daemon.kind].processesOf(daemon).filter((name) => !running.includes(name));
  }

  /** Somebody removed the namespace: no process of a router outlives it. */
  async function forget(namespace: string, one: Watched): Promise<void> {
    if (watched.get(namespace) !== one) return;
    log(`daemon '${one.daemon.kind}' in '${namespace}': the namespace has gone`);
    await end(one);
    watched.delete(namespace);
    records.remove(namespace);
    removeFolders(one.place);
  }

  async function startAgain(namespace: string, one: Watched): Promise<void> {
    // Look again: someone else may have started it, such as one that restores a checkpoint.
    look(one);
    const missing = missingOf(one);
    if (watched.get(namespace) !== one || one.move !== undefined) return;
    if (one.state === 'failed' || missing.length === 0) return;
    one.state = 'restarting';
    const what = `${missing.join(', ')} of '${one.daemon.kind}' in '${namespace}' ended`;
    const delayMs = nextRestart(one.restarts, clock.monotonicMs());
    if (delayMs === undefined) {
      one.state = 'failed';
      log(`${what}, too often to be started again: ${lastWords(one.place)}`);
      return;
    }
    log(`${what}: starting again in ${delayMs} ms: ${lastWords(one.place)}`);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (isClosed || netnsId(one.place) !== one.netns) return;
    one.restarts.push(clock.monotonicMs());
    try {
      await startProcesses(one, { only: missing });
      one.state = 'running';
    } catch (error) {
      // One that did not get its configuration must not stay.
      await endProcesses(() => findIn(one.netns).filter(({ name }) => missing.includes(name)));
      throw error;
    }
  }

  /** Starts the processes, or only some. The record says that none may be taken over before they are configured. */
  async function startProcesses(one: Watched, how: StartOptions = {}): Promise<void> {
    const { place, daemon, netns } = one;
    const driver = drivers[daemon.kind];
    const record = { namespace: place.namespace, daemon, netns };
    records.write({ ...record, isReady: false });
    await driver.start(place, await ownerOf(driver.user), daemon, how);
    records.write({ ...record, isReady: true });
    look(one);
    preferForOom(one.processes);
  }

  /** Ends the processes and removes the routes that they leave in the kernel, as one does that was killed. */
  async function end(one: Watched): Promise<void> {
    // One that is stopped could not end by itself.
    if (one.move !== undefined) await killProcesses(() => findIn(one.netns));
    await endProcesses(() => findIn(one.netns));
    await drivers[one.daemon.kind].cleanUp?.(one.place);
    one.processes = [];
    if (netnsId(one.place) !== one.netns) return;
    for (const protocol of drivers[one.daemon.kind].routeProtocols) {
      await run('ip', ['-netns', one.place.namespace, 'route', 'flush', 'table', 'all', 'proto', String(protocol)]);
    }
  }

  /** Ends the processes at once, so that they change nothing more. */
  async function kill({ daemon, place, netns }: Watched): Promise<void> {
    const find = () => findIn(netns);
    for (const { pid } of inOrderOfEnding(drivers[daemon.kind].processesOf(daemon), find()))
      signalProcess(pid, 'SIGKILL');
    await endProcesses(find);
    await drivers[daemon.kind].cleanUp?.(place);
  }

  /** Ends the processes and leaves their routes. One that cannot tell its neighbours ends nevertheless. */
  async function leave(one: Watched): Promise<void> {
    const { place, daemon, netns } = one;
    records.write({ namespace: place.namespace, daemon, netns, isReady: true, isLeaving: true });
    look(one);
    try {
      await drivers[daemon.kind].leave(place, one.processes);
    } catch (error) {
      log(`daemon '${daemon.kind}' in '${place.namespace}': its neighbours were not told: ${messageOf(error)}`);
    }
    await kill(one);
  }

  async function put(namespace: string, daemon: Daemon | null, { graceful = false } = {}): Promise<void> {
    const one = watched.get(namespace);
    if (daemon !== null) {
      return one === undefined ? startNew(namespace, daemon, graceful) : replace(namespace, one, daemon);
    }
    if (one === undefined) return;
    await (graceful ? leave(one) : end(one));
    watched.delete(namespace);
    records.remove(namespace);
    removeFolders(one.place);
    log(`daemon '${one.daemon.kind}' in '${namespace}': ended`);
  }

  async function startNew(namespace: string, daemon: Daemon, graceful: boolean): Promise<void> {
    const place = placeOf(namespace);
    const netns = netnsId(place);
    if (netns === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
    const one: Watched = { place, netns, daemon, processes: [], state: 'running', restarts: [] };
    one.version = await prepare(one.place, daemon);
    // An agent that was killed may have left a daemon without a record.
    const stop = () => (graceful ? kill(one) : end(one));
    await stop();
    try {
      await start(one, { graceful });
    } catch (error) {
      await stop();
      watched.delete(namespace);
      records.remove(namespace);
      removeFolders(place);
      throw error;
    }
  }

  /** Checks, before anything changes, that the daemon can be started. Returns its version. Throws VnmError. */
  async function prepare(place: Place, { kind, config }: Daemon): Promise<string> {
    const found = await drivers[kind].find();
    if ('lacks' in found) throw new VnmError('unsupported', `no routing daemon '${kind}': ${found.lacks}`);
    const [owner, trial] = [await ownerOf(drivers[kind].user), trialOf(place)];
    makeFolders(trial, owner);
    try {
      await drivers[kind].check(trial, owner, config);
    } finally {
      removeFolders(trial);
    }
    return found.version;
  }

  async function start(one: Watched, how?: StartOptions): Promise<void> {
    const { place, daemon } = one;
    makeFolders(place, await ownerOf(drivers[daemon.kind].user));
    watched.set(place.namespace, one);
    watch();
    await startProcesses(one, how);
    const words = how?.graceful === true ? 'started with the routes that were there' : 'started';
    log(`daemon '${daemon.kind}' ${one.version} in '${place.namespace}': ${words}`);
  }

  async function replace(namespace: string, one: Watched, daemon: Daemon): Promise<void> {
    if (one.state !== 'failed' && isDeepStrictEqual(one.daemon, daemon)) return;
    if (one.move !== undefined) {
      throw new VnmError('conflict', `the daemon in '${namespace}' is being moved to another node`, {
        hint: 'finish or undo the migration first (resume, rollback)',
      });
    }
    const [before, driver] = [one.daemon, drivers[daemon.kind]];
    const isWhole = one.state !== 'failed' && missingOf(one).length === 0;
    const isRestart = before.kind !== daemon.kind || !isWhole || driver.reconfigure === undefined;
    const version = await prepare(one.place, daemon);
    if (!isRestart) {
      await driver.reconfigure!(one.place, await ownerOf(driver.user), before, daemon);
      one.daemon = daemon;
      records.write({ namespace, daemon, netns: one.netns, isReady: true });
      log(`daemon '${daemon.kind}' in '${namespace}': has another configuration`);
      return;
    }
    const { restarts, state, version: versionBefore = '' } = one;
    await end(one);
    try {
      Object.assign(one, { daemon, version, state: 'running', restarts: [] } satisfies Partial<Watched>);
      await start(one);
    } catch (error) {
      await end(one);
      Object.assign(one, { daemon: before, version: versionBefore, state, restarts } satisfies Partial<Watched>);
      records.write({ namespace, daemon: before, netns: one.netns, isReady: false });
      if (state !== 'failed') await start(one).catch((again: unknown) => log(messageOf(again)));
      throw error;
    }
  }

  const moves = createMoves({ watched, records, log, watch, end });
  function find(namespace: string): Watched {
    const one = watched.get(namespace);
    if (one !== undefined) return one;
    throw new VnmError('not-found', `there is no routing daemon in namespace '${namespace}'`);
  }

  return {
    resume,
    moving: {
      dump: (namespace) => inTurn(namespace, () => moves.dump(namespace)),
      restore: (params) => inTurn(params.namespace, () => moves.restore(params)),
      settle: (params) => inTurn(params.namespace, () => moves.settle(params)),
      read: moves.read,
      write: moves.write,
    },
    known: () => new Map([...watched].map(([namespace, one]) => [namespace, toKnown(one)])),
    put: (namespace, daemon, how) => inTurn(namespace, () => put(namespace, daemon, how)),
    state: async (namespace) => {
      const { daemon, place } = find(namespace);
      return drivers[daemon.kind].state(place);
    },
    neighbourEvents: async (namespace) => {
      const { daemon, place } = find(namespace);
      return drivers[daemon.kind].neighbourEvents(place);
    },
    close: () => {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

function toKnown({ daemon, processes, state, restarts, version }: Watched): KnownDaemon {
  return {
    daemon,
    kind: daemon.kind,
    state,
    restarts: restarts.length,
    ...(version === undefined ? {} : { version }),
    processes: processes.filter(isRunning).map(({ name, pid }) => ({ name, pid })),
  };
}

/** The first one hands the others' routes to the kernel: while it lives, it takes them out when another one ends. */
function inOrderOfEnding(names: readonly string[], running: readonly Running[]): Running[] {
  return running.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

/** The daemons append to their log, also after it was cut. */
function keepLogSmall({ log }: Place): void {
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) <= maxLogBytes) return;
  copyFileSync(log, `${log}.old`);
  truncateSync(log);
}
