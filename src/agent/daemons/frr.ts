/**
 * FRR: zebra, staticd and one process per protocol, as user `frr` with the capabilities that they keep. They start
 * without a configuration, and `vtysh` gives each its part of the one text, as FRR's own service does: a daemon that
 * reads the whole text takes lines of other daemons for its own.
 */
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';
import type { DaemonDriver } from './driver.ts';
import { countChanges, parseBgpSummary, parseOspfNeighbours, parseRouteSummary } from './frr-state.ts';
import { type Owner, type Place, writeFor } from './place.ts';
import { lastWords, runFor, startIn } from './processes.ts';
import { findProgram, versionOf } from './programs.ts';

const user = 'frr';
const directories = ['/usr/lib/frr', '/usr/libexec/frr'];
const configName = 'frr.conf';
const startMs = 20_000;
/** For a configuration of thousands of lines, which vtysh gives to the daemons one by one, on a busy node. */
const loadSeconds = 90;
/** Where ospfd keeps that it restarts gracefully (RFC 3623), and for how long; compiled into FRR. */
const graceDirectory = '/run/frr';
const graceName = 'ospfd-gr.json';
const graceSeconds = 120;
/** How long zebra keeps the routes that it finds, unless a daemon has them again. */
const sweepSeconds = 60;

const daemons = ['zebra', 'staticd', 'ospfd', 'bgpd'] as const;

export const frr: DaemonDriver = {
  kind: 'frr',
  user,
  // zebra, bgp, ospf, staticd
  routeProtocols: [11, 186, 188, 196],
  find: async () => {
    const missing = [...daemons, 'vtysh'].find((name) => programOf(name) === undefined);
    if (missing !== undefined) return { lacks: `there is no '${missing}' (package frr)` };
    const version = await versionOf(programOf('zebra')!);
    return version === undefined ? { lacks: 'FRR does not say its version' } : { version };
  },
  processesOf: ({ protocols }) => ['zebra', 'staticd', ...protocols.map((protocol) => `${protocol}d`)],
  check: async (trial, owner, config) => {
    writeFor(trial, owner, 'vtysh.conf', vtyshConfig);
    const path = writeFor(trial, owner, configName, config);
    const { code, output } = await vtysh(trial, ['--dryrun', '--inputfile', path], loadSeconds);
    if (code !== 0) throw new VnmError('invalid-input', `FRR refuses its configuration: ${output.slice(-500)}`);
  },
  start: async (place, owner, daemon, { only, graceful = false } = {}) => {
    writeFor(place, owner, configName, daemon.config);
    writeFor(place, owner, 'vtysh.conf', vtyshConfig);
    for (const name of frr.processesOf(daemon)) writeFor(place, owner, firstConfig(name), firstLines[name] ?? '');
    if (graceful) writeGrace(place, owner);
    for (const name of only ?? frr.processesOf(daemon)) await startOne(place, name, graceful);
    await load(place, only);
  },
  leave: async (place, running) => {
    // Without the answer it is not known that the grace LSAs were sent.
    if (running.some(({ name }) => name === 'ospfd')) {
      const { code, output } = await vtysh(place, ['-c', 'graceful-restart prepare ip ospf']);
      if (code !== 0) throw new VnmError('failed', `FRR does not prepare a graceful restart: ${output.slice(-500)}`);
    }
  },
  neighbourEvents: async (place) => {
    const { code, output } = await vtysh(place, ['-d', 'ospfd', '-c', 'show ip ospf neighbor detail json']);
    if (code !== 0) throw new VnmError('failed', `FRR does not show its neighbours: ${output.slice(-500)}`);
    return countChanges(output);
  },
  cleanUp: async (place) => {
    for (const name of daemons) await removeCrashLog(place, name);
  },
  state: async (place) => {
    const ask = async (command: string) => {
      const { code, output } = await vtysh(place, ['-c', command]);
      try {
        // A daemon that does not run, and one without a configuration, print nothing or words.
        return code === 0 ? (JSON.parse(output) as unknown) : {};
      } catch {
        return {};
      }
    };
    const summary = await ask('show ip route summary json');
    if (Object.keys(summary as object).length === 0) {
      throw new VnmError('failed', `FRR in '${place.namespace}' does not answer: ${lastWords(place)}`);
    }
    return {
      adjacencies: [
        ...parseOspfNeighbours(await ask('show ip ospf neighbor json')),
        ...parseBgpSummary(await ask('show bgp ipv4 unicast summary json')),
      ],
      routes: parseRouteSummary(summary),
    };
  },
};

const asUser = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--reset-env', '--'];

/** Otherwise `vtysh` has PAM decide whether its user may use it. */
const vtyshConfig = `username ${user} nopassword\n`;

/**
 * What a daemon begins with. Without this line ospfd has zebra look for the MAC address of each new neighbour, which
 * replaces the permanent entry by one that gets no answer.
 */
const firstLines: Readonly<Record<string, string>> = { ospfd: 'router ospf\n no proactive-arp\nexit\n' };

function firstConfig(name: string): string {
  return `${name}.first`;
}

function programOf(name: string): string | undefined {
  return findProgram(name, directories);
}

/** Resolves when the process accepts connections: only then the one that `-d` starts it from ends. */
async function startOne(place: Place, name: string, graceful: boolean): Promise<void> {
  const { folder, runFolder } = place;
  const program = programOf(name);
  if (program === undefined) throw new VnmError('unsupported', `there is no '${name}' (package frr)`);
  const ids = ['-u', user, '-g', user];
  const files = ['-z', join(runFolder, 'zserv.api'), '-i', join(runFolder, `${name}.pid`), '--vty_socket', runFolder];
  // No TCP port for commands; what it logs before it has a configuration goes to the place's log.
  const rest = ['-A', '127.0.0.1', '-P', '0', '-f', join(folder, firstConfig(name)), '--log', 'stdout'];
  const keep = graceful && name === 'zebra' ? ['-K', String(sweepSeconds)] : [];
  const before = name === 'ospfd' ? withOwnGrace(place) : [];
  await removeCrashLog(place, name);
  const { pid, exited } = startIn(place, [...before, program, '-d', ...ids, ...files, ...rest, ...keep]);
  writeFileSync(crashLogName(place, name), `/var/tmp/frr/${name}.${pid}`);
  const code = await Promise.race([exited, patience()]);
  if (code === 0) return;
  const why = code === 'late' ? `not ready after ${startMs / 1000} s` : `it ended with code ${code}`;
  throw new VnmError('failed', `FRR's ${name} in '${place.namespace}' did not start: ${why}: ${lastWords(place)}`);
}

/**
 * All ospfd of a machine have one file that says that they restart gracefully, and one that finds it there does. So
 * each router's ospfd sees its own directory in that place.
 */
function withOwnGrace({ runFolder }: Place): string[] {
  mkdirSync(graceDirectory, { recursive: true });
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', runFolder, graceDirectory];
}

/** What ospfd finds when it restarts. Its neighbours wait for the time that their grace LSAs say, not for this one. */
function writeGrace({ runFolder }: Place, { uid, gid }: Owner): void {
  const path = join(runFolder, graceName);
  const timestamp = Math.floor(Date.now() / 1000) + graceSeconds;
  writeFileSync(path, JSON.stringify({ instances: { default: { gracePeriod: graceSeconds, timestamp } } }));
  chownSync(path, uid, gid);
}

/** Where it is written down which directory for crash logs a process has. */
function crashLogName({ folder }: Place, name: string): string {
  return join(folder, `${name}.crashlog`);
}

/**
 * Every process of FRR makes a directory in /var/tmp, named after the process that it was started as, and leaves it
 * there. It belongs to FRR's user, so that user removes it.
 */
async function removeCrashLog(place: Place, name: string): Promise<void> {
  const path = crashLogName(place, name);
  if (existsSync(path)) await runFor([...asUser, 'rm', '--recursive', '--force', readFileSync(path, 'utf8')]);
  rmSync(path, { force: true });
}

function patience(): Promise<'late'> {
  return new Promise((resolve) => setTimeout(resolve, startMs, 'late').unref());
}

/** Gives all daemons, or only some, their parts of the configuration. */
async function load(place: Place, only?: readonly string[]): Promise<void> {
  for (const target of only ?? [undefined]) {
    const { code, output } = await vtysh(place, ['-b', ...(target === undefined ? [] : ['-d', target])], loadSeconds);
    if (code === 0) continue;
    throw new VnmError('failed', `FRR in '${place.namespace}' does not take its configuration: ${output.slice(-500)}`);
  }
}

/** Runs `vtysh` as the daemons' user, so that no line of a configuration does more than these may. */
async function vtysh(
  { folder, runFolder }: Place,
  args: readonly string[],
  seconds?: number,
): Promise<{ code: number | null; output: string }> {
  const files = ['--config_dir', folder, '--vty_socket', runFolder];
  const { code, stdout, stderr } = await runFor([...asUser, 'vtysh', ...files, ...args], seconds);
  return { code, output: code === 0 ? stdout : `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('; ') };
}
