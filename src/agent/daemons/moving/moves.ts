/**
 * Moves a running daemon to another node with its memory and its sockets (VROOM, section 3.2, by CRIU).
 *
 *     here:   running ──dump──► dumping ──► dumped (stopped) ──settle 'moved'──► none
 *                ▲                 │            │
 *                └───── fails ─────┘            └──settle 'stayed'──► running, as if nothing had happened
 *     there:  none ──restore──► restoring ──► running
 *
 * The record says the step. An agent that finds `dumping` lets the original continue, since the checkpoint was not
 * complete; one that finds `restoring` removes the copy, since the controller got no answer. `dumped` stays until the
 * controller says what became of the copy: only it knows, and the daemon must not run twice. Where the disk was full,
 * the record may still say `dumped` of one that continues.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../../model/errors.ts';
import { checkDaemonConfig } from '../../../vsys/daemon-config.ts';
import type { Params, Results } from '../../../vsys/messages.ts';
import type { Log } from '../../log.ts';
import { run } from '../../run.ts';
import { innerPid } from '../apart.ts';
import type { CheckpointDriver } from '../driver.ts';
import { drivers } from '../drivers.ts';
import {
  daemonRoot,
  makeFolders,
  makeRoot,
  netnsId,
  ownerOf,
  type Place,
  placeOf,
  removeFolders,
  writeFor,
} from '../place.ts';
import { findIn, isRunning, killProcesses, preferForOom, type Running, signalProcess } from '../processes.ts';
import type { DaemonRecords } from '../records.ts';
import type { Watched } from '../watched.ts';
import { dump as dumpProcess, needCriu, restoreErrors, restorer } from './criu.ts';
import { joinGroups, readGroups } from './groups.ts';
import { digestOf, type Manifest, pack, type Unpacked, unpack, writeImages } from './image.ts';

/** What the supervisor lends. */
export interface MovesParts {
  readonly watched: Map<string, Watched>;
  readonly records: DaemonRecords;
  readonly log: Log;
  /** Begins to watch the processes. */
  readonly watch: () => void;
  /** Ends the processes and removes the daemon's routes. */
  readonly end: (one: Watched) => Promise<void>;
}

export interface Moves {
  /** Each throws VnmError, and then nothing has changed. Call them in turn for a namespace. */
  dump(namespace: string): Promise<Results['daemon_dump']>;
  restore(params: Params<'daemon_restore'>): Promise<Results['daemon_restore']>;
  settle(params: Params<'daemon_settle'>): Promise<void>;
  read(params: Params<'daemon_image_read'>): Results['daemon_image_read'];
  write(params: Params<'daemon_image_write'>): void;
  /** What the next agent does about a move in progress. Returns whether the daemon is to be watched. */
  resume(one: Watched): Promise<boolean>;
}

const pollMs = 20;
/** How long a CRIU that an earlier agent started may take. */
const formerMs = 40_000;

export function createMoves({ watched, records, log, watch, end }: MovesParts): Moves {
  function find(namespace: string): Watched {
    const one = watched.get(namespace);
    if (one === undefined) throw new VnmError('not-found', `there is no routing daemon in namespace '${namespace}'`);
    return one;
  }

  function note({ place, daemon, netns, move }: Watched, isReady = true): void {
    records.write({ namespace: place.namespace, daemon, netns, isReady, ...(move === undefined ? {} : { move }) });
  }

  /** The one process, and how a checkpoint takes it. Throws VnmError `unsupported`. */
  function takeable({ daemon: { kind }, place, netns }: Watched): { driver: CheckpointDriver; main: Running } {
    const refuse = (why: string, hint: string) => {
      throw new VnmError('unsupported', `the daemon '${kind}' in '${place.namespace}' cannot be moved: ${why}`, {
        hint,
      });
    };
    const { checkpoint: driver, processesOf } = drivers[kind];
    if (driver === undefined) {
      return refuse(
        'CRIU cannot restore the netlink groups that its processes have joined',
        'use another way to move the control plane',
      ) as never;
    }
    const [name] = processesOf(find(place.namespace).daemon);
    const main = findIn(netns).find((one) => one.name === name && isRunning(one));
    if (main === undefined) return refuse('it does not run', 'wait until it runs') as never;
    if (innerNumber(main.pid) !== innerPid) {
      refuse('it was not started for that, but by an earlier version', 'start it again: daemon_down, daemon_up');
    }
    return { driver, main };
  }

  async function dump(namespace: string): Promise<Results['daemon_dump']> {
    const one = find(namespace);
    if (one.move !== undefined) throw new VnmError('conflict', `the daemon in '${namespace}' is being moved`);
    if (one.state !== 'running') throw new VnmError('conflict', `the daemon in '${namespace}' is ${one.state}`);
    const [{ driver, main }, criu] = [takeable(one), await needCriu()];
    const { place, daemon } = one;
    const owner = await ownerOf(drivers[daemon.kind].user);
    const images = imagesOf(place);
    rmSync(images, { recursive: true, force: true });
    mkdirSync(images, { mode: 0o700 });
    one.move = 'dumping';
    one.state = 'moving';
    try {
      note(one);
      const facts = { daemon, version: one.version ?? '', folder: folderOf(main.pid), ...(await factsOf(namespace)) };
      await dumpProcess(criu, main.pid, owner, images);
      // After it: routes may have changed until it was stopped.
      const routes = await readRoutes(namespace, drivers[daemon.kind].routeProtocols);
      const archive = await pack({ ...facts, routes }, images, place.log);
      writeFileSync(archiveOf(place), archive, { mode: 0o600 });
      one.move = 'dumped';
      note(one);
      log(`daemon '${daemon.kind}' in '${namespace}': stopped, its checkpoint has ${archive.length} bytes`);
      return { bytes: archive.length, sha256: digestOf(archive) };
    } catch (error) {
      await goOn(one, driver);
      throw error;
    } finally {
      rmSync(images, { recursive: true, force: true });
    }
  }

  /** Lets the original continue. One that a killed CRIU has damaged is ended, and started again by the supervisor. */
  async function goOn(one: Watched, driver = drivers[one.daemon.kind].checkpoint): Promise<void> {
    const { place, netns } = one;
    for (const { pid } of findIn(netns)) signalProcess(pid, 'SIGCONT');
    delete one.move;
    one.state = 'running';
    try {
      note(one);
    } catch (error) {
      // It continues anyway, and the next agent sees that.
      log(messageOf(error));
    }
    rmSync(archiveOf(place), { force: true });
    try {
      await driver?.answers(place);
      log(`daemon '${one.daemon.kind}' in '${place.namespace}': continues here`);
    } catch (error) {
      log(`${messageOf(error)} after it was to be moved`);
      await killProcesses(() => findIn(netns));
    }
  }

  async function settle({ namespace, outcome }: Params<'daemon_settle'>): Promise<void> {
    const one = watched.get(namespace);
    if (outcome === 'stayed') {
      if (one?.move === 'dumped') await goOn(one);
      rmSync(incomingOf(namespace), { force: true });
      return;
    }
    if (one === undefined) return;
    if (one.move !== 'dumped') throw new VnmError('conflict', `the daemon in '${namespace}' runs here`);
    // Not a moment of running, and its routes stay: packets still arrive here.
    await killProcesses(() => findIn(one.netns));
    watched.delete(namespace);
    records.remove(namespace);
    removeFolders(one.place);
    log(`daemon '${one.daemon.kind}' in '${namespace}': has moved away`);
  }

  async function restore({ namespace, bytes, sha256 }: Params<'daemon_restore'>): Promise<Results['daemon_restore']> {
    if (watched.has(namespace)) throw new VnmError('conflict', `there is a routing daemon in namespace '${namespace}'`);
    const place = placeOf(namespace);
    const netns = netnsId(place);
    if (netns === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
    const criu = await needCriu();
    const unpacked = await unpack(readArchive(incomingOf(namespace), { bytes, sha256 }));
    const { manifest } = unpacked;
    const { daemon } = manifest;
    const driver = await checkManifest(namespace, manifest);
    const one: Watched = {
      place,
      netns,
      daemon,
      processes: [],
      state: 'moving',
      restarts: [],
      version: manifest.version,
    };
    one.move = 'restoring';
    watched.set(namespace, one);
    try {
      makeFolders(place, await ownerOf(drivers[daemon.kind].user));
      note(one, false);
      await makeCopy(one, driver, criu, unpacked);
      delete one.move;
      one.state = 'running';
      // Otherwise the next agent would remove it.
      note(one);
    } catch (error) {
      await remove(one);
      throw error;
    }
    watch();
    rmSync(incomingOf(namespace), { force: true });
    rmSync(imagesOf(place), { recursive: true, force: true });
    log(`daemon '${daemon.kind}' ${manifest.version} in '${namespace}': continues here, from another node`);
    return { processes: one.processes.map(({ name, pid }) => ({ name, pid })) };
  }

  async function makeCopy(one: Watched, driver: CheckpointDriver, criu: string, unpacked: Unpacked): Promise<void> {
    const { place, daemon, netns } = one;
    const images = imagesOf(place);
    writeFor(place, await ownerOf(drivers[daemon.kind].user), driver.configName, daemon.config);
    writeImages(unpacked, images, place.log);
    await putRoutes(place.namespace, unpacked.manifest.routes, drivers[daemon.kind].routeProtocols);
    const output = join(images, 'output');
    const words = () => restoreErrors(images) ?? readFileSync(output, 'utf8').trim().slice(-300);
    await driver.restore(place, unpacked.manifest.folder, restorer(criu, images), { output, words });
    const names = drivers[daemon.kind].processesOf(daemon);
    one.processes = findIn(netns).filter(({ name }) => names.includes(name));
    const [main] = one.processes;
    if (main === undefined) throw new VnmError('failed', `the restored daemon in '${place.namespace}' does not run`);
    await joinGroups(main.pid, unpacked.manifest.groups);
    preferForOom(one.processes);
  }

  /** Removes a copy that does not count. */
  async function remove(one: Watched): Promise<void> {
    await killProcesses(() => findIn(one.netns));
    await end(one);
    watched.delete(one.place.namespace);
    records.remove(one.place.namespace);
    removeFolders(one.place);
    rmSync(incomingOf(one.place.namespace), { force: true });
  }

  async function resume(one: Watched): Promise<boolean> {
    if (one.move === undefined) return true;
    one.state = 'moving';
    if (one.move === 'restoring') {
      await remove(one);
      log(`daemon '${one.daemon.kind}' in '${one.place.namespace}': removed a copy that was being restored`);
      return false;
    }
    if (one.move === 'dumping') {
      const isBusy = () => findIn(one.netns).some(({ pid }) => isCriu(pid));
      for (const endMs = performance.now() + formerMs; isBusy() && performance.now() < endMs; ) await sleep(pollMs);
    }
    if (one.move === 'dumping' || continues(one)) await goOn(one);
    return true;
  }

  return {
    dump,
    restore,
    settle,
    resume,
    read: ({ namespace, offset, bytes }) => {
      const one = find(namespace);
      if (one.move !== 'dumped')
        throw new VnmError('not-found', `there is no checkpoint of the daemon in '${namespace}'`);
      return { data: readPart(archiveOf(one.place), offset, bytes).toString('base64') };
    },
    write: ({ namespace, offset, data }) => {
      if (watched.has(namespace))
        throw new VnmError('conflict', `there is a routing daemon in namespace '${namespace}'`);
      if (netnsId(placeOf(namespace)) === undefined)
        throw new VnmError('not-found', `there is no namespace '${namespace}'`);
      makeRoot();
      writePart(incomingOf(namespace), offset, Buffer.from(data, 'base64'));
    },
  };
}

function imagesOf({ folder }: Place): string {
  return join(folder, 'checkpoint');
}

function archiveOf({ folder }: Place): string {
  return join(folder, 'checkpoint.gz');
}

/** Not in the daemon's folder, which the restoration makes. No namespace has such a name. */
function incomingOf(namespace: string): string {
  return join(daemonRoot, `.incoming-${namespace}`);
}

/** The number of a process in its own PID namespace. */
function innerNumber(pid: number): number {
  const [, numbers = ''] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  const inner = numbers.split(/\s+/);
  return inner.length < 2 ? 0 : Number(inner.at(-1));
}

/** The path of its folder as a process knows it. */
function folderOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return dirname(words.find((word) => word.startsWith(`${daemonRoot}/`)) ?? '');
}

/** Whether the process itself runs and is not stopped. */
function continues({ daemon, netns }: Watched): boolean {
  const names = drivers[daemon.kind].processesOf(daemon);
  const main = findIn(netns).find(({ name }) => names.includes(name));
  return main !== undefined && !/^State:\s+T/m.test(readFileSync(`/proc/${main.pid}/status`, 'utf8'));
}

function isCriu(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('--leave-stopped');
  } catch {
    return false;
  }
}

/** What a daemon has learned of its namespace and takes for granted. */
async function factsOf(namespace: string): Promise<Pick<Manifest, 'interfaces' | 'groups'>> {
  return {
    interfaces: await readInterfaces(namespace),
    groups: { ...(await readGroups(namespace)) } as Manifest['groups'],
  };
}

interface LinkJson {
  readonly ifname: string;
  readonly ifindex: number;
  readonly address?: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

/** Without the gate of a router that moves, which no daemon uses. */
async function readInterfaces(namespace: string): Promise<Manifest['interfaces']> {
  const { code, stdout, stderr } = await run('ip', ['-netns', namespace, '-json', '-details', 'link', 'show']);
  if (code !== 0) throw new VnmError('failed', `cannot read the interfaces of '${namespace}': ${stderr.trim()}`);
  const links = (JSON.parse(stdout) as LinkJson[]).filter(({ linkinfo }) => linkinfo?.info_kind !== 'ifb');
  return Object.fromEntries(
    links.map(({ ifname, ifindex, address = '' }) => [ifname, { index: ifindex, mac: address }] as const),
  );
}

/** One line for each route. `ip` leaves out the origin by which it selects, and takes it before several next hops. */
async function readRoutes(namespace: string, protocols: readonly number[]): Promise<string[]> {
  const lists = protocols.map(async (protocol) => {
    const words = ['-netns', namespace, '-oneline', '-4', 'route', 'show', 'table', 'main', 'proto', String(protocol)];
    const { code, stdout, stderr } = await run('ip', words);
    if (code !== 0) throw new VnmError('failed', `cannot read the routes of '${namespace}': ${stderr.trim()}`);
    // Without what `ip` prints and does not take: signs between next hops, and states.
    const lines = stdout.split('\n').map((line) => line.replace(/\\|\b(linkdown|dead)\b/g, '').trim());
    return lines.filter((line) => line !== '').map((line) => line.replace(/\s+nexthop|$/, ` proto ${protocol}$&`));
  });
  return (await Promise.all(lists)).flat();
}

async function putRoutes(namespace: string, routes: readonly string[], protocols: readonly number[]): Promise<void> {
  const own = routes.filter((line) => protocols.some((protocol) => ` ${line} `.includes(` proto ${protocol} `)));
  const lines = own.map((line) => `route replace ${line}\n`).join('');
  const { code, stderr } = await run('ip', ['-netns', namespace, '-4', '-batch', '-'], lines);
  if (code !== 0) throw new VnmError('failed', `cannot add the daemon's routes in '${namespace}': ${stderr.trim()}`);
}

/** Checks, before anything changes, that the daemon can continue here. */
async function checkManifest(namespace: string, manifest: Manifest): Promise<CheckpointDriver> {
  const { daemon, version, folder } = manifest;
  const { checkpoint, find } = drivers[daemon.kind];
  if (checkpoint === undefined) throw new VnmError('unsupported', `a daemon '${daemon.kind}' cannot be moved`);
  checkDaemonConfig(daemon.kind, daemon.config);
  if (dirname(folder) !== daemonRoot) throw new VnmError('invalid-input', `not the folder of a daemon: ${folder}`);
  const found = await find();
  if ('lacks' in found) throw new VnmError('unsupported', `no routing daemon '${daemon.kind}': ${found.lacks}`);
  if (found.version !== version) {
    throw new VnmError('unsupported', `the daemon is '${daemon.kind}' ${version}, and here is ${found.version}`, {
      hint: 'install the same package on both nodes',
    });
  }
  const here = await readInterfaces(namespace);
  for (const [name, { index, mac }] of Object.entries(manifest.interfaces)) {
    const own = here[name];
    if (own?.index === index && own.mac === mac) continue;
    const is = own === undefined ? 'is missing' : `has number ${own.index} and MAC ${own.mac}`;
    throw new VnmError('conflict', `interface '${name}' in '${namespace}' ${is}, not number ${index} and MAC ${mac}`, {
      hint: 'set up the interfaces in the order of the other node',
    });
  }
  return checkpoint;
}

function readArchive(path: string, { bytes, sha256 }: { bytes: number; sha256: string }): Buffer {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new VnmError('not-found', 'no checkpoint has arrived for the namespace');
  }
  const archive = readFileSync(path);
  if (archive.length === bytes && digestOf(archive) === sha256) return archive;
  throw new VnmError('invalid-input', 'the checkpoint that arrived is not the one that was sent');
}

function readPart(path: string, offset: number, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const part = Buffer.alloc(Math.min(bytes, Math.max(0, fstatSync(file).size - offset)));
    return part.subarray(0, readSync(file, part, 0, part.length, offset));
  } finally {
    closeSync(file);
  }
}

/** The first part begins a new file; another one continues exactly at its end. */
function writePart(path: string, offset: number, data: Buffer): void {
  const file = openSync(path, offset === 0 ? 'w' : 'a', 0o600);
  try {
    const { size } = fstatSync(file);
    if (size !== offset) throw new VnmError('conflict', `the checkpoint has ${size} bytes so far, not ${offset}`);
    writeSync(file, data);
  } finally {
    closeSync(file);
  }
}
