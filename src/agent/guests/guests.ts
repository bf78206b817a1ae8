/**
 * Starts, watches and ends the virtual machines of a slice's routers.
 *
 *     none ──put──► running ──it ended──► restarting ──► running
 *                     ▲  │                    │ too often
 *                     │  └──put null──► none  ▼
 *                     └────────put────────── failed
 *
 * Machines outlive the agent. The next one reads from disk which machine each namespace must have, and finds the
 * processes by their command: it takes over those that run, and starts only what is missing. One that moves to another
 * node is not watched meanwhile (moving.ts).
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock/clock.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { Machine } from '../../vsys/machine.ts';
import { isRunning, type Running } from '../daemons/processes.ts';
import { nextRestart } from '../daemons/restarts.ts';
import { tapName } from '../dataplane/planner/ports.ts';
import type { KnownMachine } from '../dataplane/planner/state.ts';
import type { Log } from '../log.ts';
import { filesOf } from '../machines/command-line.ts';
import { makeConfigDisk } from '../machines/config-disk.ts';
import type { MachineSpec } from '../machines/machine.ts';
import { endMachine, findMachine, keepConsoleSmall, startMachine } from '../machines/running.ts';
import { createNamespaceTurns } from '../namespace-turns.ts';
import { createImages, type Images } from './images.ts';
import { createGuestMoves, type GuestMoving } from './moving.ts';
import { type GuestPlace, guestPlace, makeFolder, removeFolder } from './place.ts';
import { type GuestMove, guestRecords } from './records.ts';
import { askGuest, makeTaps, removeTaps } from './taps.ts';

export interface Guests {
  /** Takes over what a former agent left. Call it before all others. */
  resume(): Promise<void>;
  /** The machines that there must be, by namespace, and how they are. */
  known(): ReadonlyMap<string, KnownMachine>;
  /**
   * Makes the namespace have this machine, or none (null). Throws VnmError; then it has none, or the one before is
   * started again.
   */
  put(namespace: string, machine: Machine | null, how?: { readonly incoming?: true }): Promise<void>;
  readonly moving: GuestMoving;
  readonly images: Images;
  /** Stops watching; the machines stay. */
  close(): void;
}

export interface GuestsParts {
  /** The directory of the records. */
  readonly records: string;
  /** The directory of the images. */
  readonly images: string;
  readonly maxImageMib: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
}

interface Watched {
  readonly place: GuestPlace;
  readonly netns: number;
  readonly machine: Machine;
  /** QEMU's; absent if it has ended. */
  process?: Running | undefined;
  state: KnownMachine['state'];
  /** When it was started again. */
  restarts: number[];
  answers: boolean;
  /** Present while the guest moves to another node, or here. */
  move?: GuestMove | undefined;
  /** How often it was looked at since it started and did not answer. */
  looks: number;
}

/** How often to look at the processes. */
const watchMs = 500;
/** A guest that has not answered after so many looks is asked ever so often only: it may not want to answer. */
const [manyLooks, seldom] = [400, 20];
const maxWords = 500;

export function createGuests({ records: directory, images: imagesAt, maxImageMib, clock, log }: GuestsParts): Guests {
  const records = guestRecords(directory);
  const watched = new Map<string, Watched>();
  const { inTurn, isBusy } = createNamespaceTurns();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const images = createImages({
    directory: imagesAt,
    maxMib: maxImageMib,
    used: () => new Set([...watched.values()].map(({ machine }) => machine.image)),
  });

  async function resume(): Promise<void> {
    for (const { namespace, machine, netns, move } of records.read()) {
      const one: Watched = {
        place: guestPlace(namespace),
        netns,
        machine,
        state: 'running',
        restarts: [],
        answers: false,
        move,
        looks: 0,
      };
      watched.set(namespace, one);
      if (!(await moves.resume(one))) {
        log(`machine in '${namespace}': removed, its copy was not complete`);
        drop(namespace, one);
        continue;
      }
      [one.process] = findMachine(one.place.folder);
      log(`machine in '${namespace}': ${one.process === undefined ? 'it has ended' : `took over ${one.process.pid}`}`);
    }
    if (watched.size > 0) watch();
  }

  function watch(): void {
    if (isClosed) return;
    timer ??= setInterval(() => {
      for (const [namespace, one] of watched) {
        if (isBusy(namespace)) continue;
        void inTurn(namespace, () => check(namespace, one)).catch((error) => log(messageOf(error)));
      }
    }, watchMs);
    timer.unref();
  }

  async function check(namespace: string, one: Watched): Promise<void> {
    if (watched.get(namespace) !== one) return;
    if (netnsId(one.place) !== one.netns) return forget(namespace, one);
    if (one.state === 'failed' || one.state === 'moving') return;
    if (!runs(one)) return startAgain(namespace, one);
    keepConsoleSmall(one.place.folder);
    if (one.answers) return;
    one.looks += 1;
    if (one.looks > manyLooks && one.looks % seldom > 0) return;
    one.answers = (await askGuest(namespace, one.machine)).size === one.machine.ports.length;
    if (one.answers) log(`machine in '${namespace}': its guest answers`);
  }

  /** Somebody removed the namespace: no machine of a router outlives it. */
  async function forget(namespace: string, one: Watched): Promise<void> {
    log(`machine in '${namespace}': the namespace has gone`);
    await endMachine(one.place.folder);
    drop(namespace, one);
  }

  function drop(namespace: string, { place }: Watched): void {
    watched.delete(namespace);
    records.remove(namespace);
    removeFolder(place);
  }

  async function startAgain(namespace: string, one: Watched): Promise<void> {
    one.state = 'restarting';
    const delayMs = nextRestart(one.restarts, clock.monotonicMs());
    const what = `machine in '${namespace}' ended`;
    if (delayMs === undefined) {
      one.state = 'failed';
      log(`${what}, too often to be started again: ${lastWords(one.place)}`);
      return;
    }
    log(`${what}: starting again in ${delayMs} ms: ${lastWords(one.place)}`);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (isClosed || netnsId(one.place) !== one.netns) return;
    one.restarts.push(clock.monotonicMs());
    await start(one);
    one.state = 'running';
  }

  /** Starts it in the taps that are there. */
  async function start(one: Watched): Promise<void> {
    one.process = undefined;
    one.answers = false;
    one.looks = 0;
    note(one);
    await startMachine(specOf(one), { begin: one.move === 'arriving' ? 'copy' : 'run' });
    [one.process] = findMachine(one.place.folder);
  }

  function note({ place, machine, netns, move }: Watched): void {
    records.write({ namespace: place.namespace, machine, netns, ...(move === undefined ? {} : { move }) });
  }

  function find(namespace: string): Watched {
    const one = watched.get(namespace);
    if (one !== undefined) return one;
    throw new VnmError('not-found', `there is no virtual machine in namespace '${namespace}'`);
  }

  const moves = createGuestMoves({
    find,
    note: (one) => note(one as Watched),
    drop: (namespace) => end(namespace, find(namespace)),
    inTurn,
    log,
  });

  function specOf({ place, machine }: Watched): MachineSpec {
    const { folder, namespace, configDisk } = place;
    return {
      folder,
      namespace,
      image: images.pathOf(machine.image),
      memoryMib: machine.memoryMib,
      ports: machine.ports.map(({ mac }, index) => ({ tap: tapName(index), mac })),
      configDisk,
      console: machine.console,
    };
  }

  async function put(
    namespace: string,
    machine: Machine | null,
    how: { readonly incoming?: true } = {},
  ): Promise<void> {
    const before = watched.get(namespace);
    if (machine === null) {
      if (before === undefined) return;
      await end(namespace, before);
      log(`machine in '${namespace}': ended`);
      return;
    }
    if (before !== undefined && before.state !== 'failed' && isDeepStrictEqual(before.machine, machine)) return;
    if (before?.state === 'moving') {
      throw new VnmError('conflict', `the machine in '${namespace}' is being moved to another node`, {
        hint: 'finish or undo the migration first (resume, rollback)',
      });
    }
    images.pathOf(machine.image);
    if (before !== undefined) await end(namespace, before);
    try {
      await startNew(namespace, machine, how.incoming);
    } catch (error) {
      if (before !== undefined)
        await startNew(namespace, before.machine).catch((again: unknown) => log(messageOf(again)));
      throw error;
    }
  }

  async function startNew(namespace: string, machine: Machine, incoming?: true): Promise<void> {
    const place = guestPlace(namespace);
    const netns = netnsId(place);
    if (netns === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
    const one: Watched = { place, netns, machine, state: 'running', restarts: [], answers: false, looks: 0 };
    if (incoming === true) Object.assign(one, { move: 'arriving', state: 'moving' } satisfies Partial<Watched>);
    // An agent that was killed may have left one without a record.
    await endMachine(place.folder);
    makeFolder(place);
    watched.set(namespace, one);
    try {
      writeFileSync(place.configDisk, makeConfigDisk(machine.files), { mode: 0o600 });
      await makeTaps(namespace, machine);
      await start(one);
    } catch (error) {
      await end(namespace, one);
      throw error;
    }
    watch();
    log(`machine in '${namespace}': ${incoming === true ? 'waits for a copy' : 'started'}`);
  }

  async function end(namespace: string, one: Watched): Promise<void> {
    await moves.giveUp(namespace);
    await endMachine(one.place.folder);
    if (netnsId(one.place) === one.netns) await removeTaps(namespace);
    drop(namespace, one);
  }

  return {
    resume,
    known: () => new Map([...watched].map(([namespace, one]) => [namespace, toKnown(one)])),
    put: (namespace, machine, how) => inTurn(namespace, () => put(namespace, machine, how)),
    moving: moves.moving,
    images,
    close: () => {
      isClosed = true;
      clearInterval(timer);
    },
  };

  function toKnown(one: Watched): KnownMachine {
    const { machine, state, restarts, answers, process, place } = one;
    return {
      machine,
      state,
      restarts: restarts.length,
      answers,
      ...(process === undefined || !runs(one) ? {} : { pid: process.pid }),
      ...(state === 'failed' ? { lastWords: lastWords(place) } : {}),
    };
  }
}

function runs({ process }: Watched): boolean {
  return process !== undefined && isRunning(process);
}

/** Identifies the network namespace of that name; undefined if there is none. */
function netnsId({ netns }: GuestPlace): number | undefined {
  return statSync(netns, { throwIfNoEntry: false })?.ino;
}

/** Returns the last lines that QEMU, or the guest on its console, has written. */
function lastWords({ folder }: GuestPlace): string {
  const { log, consoleLog } = filesOf(folder);
  const texts = [log, consoleLog].map(textOf);
  const lines = texts.flatMap((text) =>
    text
      .split(/[\r\n]+/)
      .filter((line) => line.trim() !== '')
      .slice(-3),
  );
  return lines.join('; ').slice(-maxWords) || 'it says nothing';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-4096);
  } catch {
    return '';
  }
}
