/**
 * Open vSwitch: the switch of one router, apart from the system's own. Its database (ovsdb-server) and its daemon
 * (ovs-vswitchd) run in the router's network namespace, with files and sockets in its folder. It forwards in user space
 * (datapath type `netdev`): packets that arrive at the router's interfaces are read from packet sockets, changed by the
 * entries, and sent. The kernel sees them too. It answers what is for the router's own addresses, and says where a
 * packet's TTL ends, but a filter keeps it from forwarding.
 *
 * The database holds nothing that is not made again from the router's configuration.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { SwitchConfig } from '../../model/flow-entry.ts';
import { parseSwitch } from '../../vsys/switch-config.ts';
import { bridgeName, switchDevices } from '../dataplane/planner/switch-devices.ts';
import { OpenFlowConnection } from '../openflow/connection.ts';
import { wireEntry } from '../openflow/messages.ts';
import { makeRealtime, switchPriority } from '../realtime.ts';
import { run } from '../run.ts';
import type { DaemonDriver } from './driver.ts';
import type { Place } from './place.ts';
import { ended, lastWords, runFor, startIn } from './processes.ts';
import { findProgram, versionOf } from './programs.ts';

const database = 'ovsdb-server';
const forwarder = 'ovs-vswitchd';
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const tunDevice = '/dev/net/tun';
/** Drops what the kernel is about to forward, after it has looked at TTL and size. */
const table = 'pl-vnm-switch';
const rules = `table ip ${table} { chain forward { type filter hook forward priority 0; policy drop; }; };`;
const startMs = 10_000;
const pollMs = 20;
/** No log but the place's; warnings and errors only. */
const quietly = ['-vsyslog:off', '-vfile:off', '-vconsole:warn'];

export const openvswitch: DaemonDriver = {
  kind: 'openvswitch',
  user: 'root',
  routeProtocols: [],
  find: async () => {
    const missing = [forwarder, database, 'ovsdb-tool', 'ovs-vsctl'].find((name) => findProgram(name) === undefined);
    if (missing !== undefined) return { lacks: `there is no '${missing}' (package openvswitch-switch)` };
    if (!existsSync(schema)) return { lacks: `there is no ${schema} (package openvswitch-common)` };
    if (findProgram('nft') === undefined) return { lacks: "there is no 'nft' (package nftables)" };
    if (!isUsable(tunDevice)) return { lacks: `${tunDevice} cannot be used` };
    return { version: (await versionOf(findProgram(forwarder)!, /\(Open vSwitch\) (\S+)/)) ?? 'unknown' };
  },
  processesOf: () => [database, forwarder],
  check: async (_trial, _owner, config) => void parseSwitch(config),
  start: async (place, _owner, { config }, { only = [database, forwarder] } = {}) => {
    const wanted = parseSwitch(config);
    await filterKernel(place);
    if (only.includes(database)) await startDatabase(place);
    await setPorts(place, wanted, []);
    if (only.includes(forwarder)) await startForwarder(place);
    await setEntries(place, wanted);
    await checkPorts(place);
  },
  cleanUp: async ({ namespace }) => {
    // Nothing of it is there where the namespace has gone. Open vSwitch leaves its interfaces when it ends.
    for (const name of switchDevices) await run('ip', ['-netns', namespace, 'link', 'del', name]);
    await run('ip', ['netns', 'exec', namespace, 'nft', 'delete', 'table', 'ip', table]);
  },
  leave: async (_place, running) => {
    await ended(running, 0);
  },
  reconfigure: async (place, _owner, before, after) => {
    const [had, wanted] = [parseSwitch(before.config), parseSwitch(after.config)];
    const isKept = (name: string) => wanted.ports.some((port) => port.interface === name);
    const gone = had.ports.map((port) => port.interface).filter((name) => !isKept(name));
    const isSame = JSON.stringify(had.ports) === JSON.stringify(wanted.ports);
    if (!isSame) await setPorts(place, wanted, gone);
    await setEntries(place, wanted);
    if (!isSame) await checkPorts(place);
  },
  state: async (place) => {
    const entries = await withSwitch(place, (connection) => connection.entries());
    return { adjacencies: [], routes: { openflow: entries.length } };
  },
  neighbourEvents: async () => ({}),
};

/** Makes the kernel of the router forward nothing. Throws VnmError `failed`. */
async function filterKernel({ namespace }: Place): Promise<void> {
  const { code, stderr } = await run('ip', ['netns', 'exec', namespace, 'nft', rules]);
  if (code !== 0) throw new VnmError('failed', `nft in '${namespace}': ${stderr.trim().split('\n')[0]}`);
}

/** Where the switch takes OpenFlow. */
export function switchSocket({ runFolder }: Place): string {
  return join(runFolder, `${bridgeName}.mgmt`);
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function databaseSocket({ runFolder }: Place): string {
  return join(runFolder, 'db.sock');
}

/** The words that run one of the programs, which else use the system's folders. */
function inFolder({ folder, runFolder }: Place, program: string, words: readonly string[]): string[] {
  const folders = [
    `OVS_RUNDIR=${runFolder}`,
    `OVS_LOGDIR=${folder}`,
    `OVS_DBDIR=${folder}`,
    `OVS_SYSCONFDIR=${folder}`,
  ];
  return ['env', ...folders, program, ...words];
}

async function startDatabase(place: Place): Promise<void> {
  const path = join(place.folder, 'conf.db');
  if (!existsSync(path)) await mustRun(place, ['ovsdb-tool', 'create', path, schema]);
  const control = join(place.runFolder, 'db.ctl');
  const words = [path, `--remote=punix:${databaseSocket(place)}`, '--unixctl', control, ...quietly];
  const { exited } = startIn(place, inFolder(place, database, words));
  exited.catch(() => {});
}

/** Writes the bridge and its ports into the database, which may just be starting. */
async function setPorts(place: Place, { ports }: SwitchConfig, gone: readonly string[]): Promise<void> {
  const settings = [
    // It fills in checksums that the kernel leaves to hardware, and takes packets that the kernel has not yet cut up.
    'other_config:userspace-tso-enable=true',
    'other_config:n-handler-threads=1',
    'other_config:n-revalidator-threads=1',
  ];
  const bridge = ['datapath_type=netdev', 'protocols=OpenFlow14', 'fail_mode=secure'];
  const commands = [
    ['set', 'Open_vSwitch', '.', ...settings],
    ['--may-exist', 'add-br', bridgeName],
    ['set', 'Bridge', bridgeName, ...bridge],
    ...gone.map((name) => ['--if-exists', 'del-port', bridgeName, name]),
    ...ports.flatMap(({ interface: name, number }) => [
      ['--may-exist', 'add-port', bridgeName, name],
      ['set', 'Interface', name, `ofport_request=${number}`],
    ]),
  ];
  // The forwarder may not run yet.
  await control(place, ['--no-wait', '--retry'], commands);
}

/** Runs commands as one transaction of the database. */
function control(place: Place, options: readonly string[], commands: readonly (readonly string[])[]): Promise<string> {
  const words = commands.flatMap((command, index) => (index === 0 ? command : ['--', ...command]));
  const seconds = Math.ceil(startMs / 1000);
  return mustRun(place, [
    'ovs-vsctl',
    `--db=unix:${databaseSocket(place)}`,
    `--timeout=${seconds}`,
    ...options,
    '--',
    ...words,
  ]);
}

async function mustRun(place: Place, words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runFor(words);
  if (code === 0) return stdout;
  const why = stderr.trim().split('\n').at(-1) || `it ended with code ${code}`;
  throw new VnmError('failed', `${words[0]} for '${place.namespace}': ${why}`);
}

/** Resolves when it answers. Throws VnmError `failed`. */
async function startForwarder(place: Place): Promise<void> {
  const control = join(place.runFolder, 'vs.ctl');
  const words = [`unix:${databaseSocket(place)}`, '--unixctl', control, ...quietly];
  const { pid, exited } = startIn(place, inFolder(place, forwarder, words));
  // The packets of other hosts wait for it.
  if (pid !== undefined) makeRealtime(pid, switchPriority);
  let end: string | undefined;
  exited.then(
    (code) => {
      end = `it ended with code ${code}`;
    },
    (error: unknown) => {
      end = messageOf(error);
    },
  );
  for (const endMs = performance.now() + startMs; ; await sleep(pollMs)) {
    try {
      (await OpenFlowConnection.open(switchSocket(place))).close();
      return;
    } catch (error) {
      if (end === undefined && performance.now() < endMs) continue;
      const why = end ?? messageOf(error);
      throw new VnmError('failed', `Open vSwitch in '${place.namespace}' did not start: ${why}: ${lastWords(place)}`);
    }
  }
}

function setEntries(place: Place, config: SwitchConfig): Promise<void> {
  const wanted = wireEntries(config);
  return withSwitch(place, (connection) => connection.setEntries(wanted));
}

/** The entries in the form of OpenFlow. */
export function wireEntries({ ports, entries }: SwitchConfig): ReturnType<typeof wireEntry>[] {
  const numbers = new Map(ports.map((port) => [port.interface, port.number]));
  return entries.map((entry) =>
    wireEntry(entry, (name) => {
      const number = numbers.get(name);
      if (number !== undefined) return number;
      throw new VnmError('not-found', `the switch has no port for interface '${name}'`);
    }),
  );
}

async function withSwitch<T>(place: Place, body: (connection: OpenFlowConnection) => Promise<T>): Promise<T> {
  const connection = await OpenFlowConnection.open(switchSocket(place));
  try {
    return await body(connection);
  } finally {
    connection.close();
  }
}

/** Throws VnmError `failed` for the first interface that the switch could not open. */
async function checkPorts(place: Place): Promise<void> {
  const columns = '--columns=name,error';
  const text = await control(place, ['--format=json'], [[columns, 'list', 'Interface']]);
  const { data } = JSON.parse(text) as { data: [string, string | readonly unknown[]][] };
  const broken = data.find(([, error]) => typeof error === 'string' && error !== '');
  if (broken !== undefined) throw new VnmError('failed', `Open vSwitch in '${place.namespace}': ${String(broken[1])}`);
}
