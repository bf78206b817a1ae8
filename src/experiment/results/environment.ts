/** The machines that made the results: `environment.json`. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, hostname, loadavg, release, totalmem, type, version } from 'node:os';
import { join } from 'node:path';
import type { DoctorResult } from '../../controller/doctor.ts';
import { isoInstant } from '../../model/instant.ts';
import { type ProgramVersion, programVersion } from './program.ts';
import { replaceFile } from './replace-file.ts';

/** The sysctls that change how packets, nexthop groups and real-time tasks behave. */
const sysctls = [
  'kernel.sched_rt_runtime_us',
  'net.core.netdev_max_backlog',
  'net.core.rmem_default',
  'net.core.rmem_max',
  'net.core.wmem_default',
  'net.core.wmem_max',
  'net.ipv4.conf.all.rp_filter',
  'net.ipv4.conf.default.rp_filter',
  'net.ipv4.ip_forward',
  'net.ipv4.nexthop_compat_mode',
];

/** One process that carried out runs: the first start, or a `resume`. */
export interface Session {
  readonly startedAt: string;
  readonly program: ProgramVersion;
  readonly node: string;
  readonly system: string;
  readonly kernel: string;
  readonly host: string;
  readonly processors: { readonly count: number; readonly available: number; readonly model: string };
  readonly memoryBytes: number;
  /** Processes that ran or waited for a processor when it started, on average over a minute. */
  readonly load1: number;
  /** Those that this system has. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The data plane of the testbed, and why; null without one. */
  readonly testbed: { readonly dataplane: string; readonly reason: string } | null;
  /** As `doctor` reports them: kernel, features, clock offset with its bound, how late the timer is. */
  readonly nodes: DoctorResult['nodes'];
}

/** Describes this machine and the nodes. `startedAt`: Unix ms. */
export function describeSession(startedAt: number, testbed: Session['testbed'], nodes: DoctorResult['nodes']): Session {
  return {
    startedAt: isoInstant(startedAt),
    program: programVersion(),
    node: process.version,
    system: type(),
    kernel: `${release()} ${version()}`,
    host: hostname(),
    processors: { count: cpus().length, available: availableParallelism(), model: cpus()[0]?.model ?? 'unknown' },
    memoryBytes: totalmem(),
    load1: loadavg()[0]!,
    sysctls: Object.fromEntries(sysctls.flatMap((name) => readSysctl(name))),
    testbed,
    nodes,
  };
}

function readSysctl(name: string): [string, string][] {
  const path = join('/proc/sys', ...name.split('.'));
  return existsSync(path) ? [[name, readFileSync(path, 'utf8').trim()]] : [];
}

const file = 'environment.json';

/** Returns the sessions of a result folder; none if no process got so far. */
export function sessionsOf(folder: string): Session[] {
  const path = join(folder, file);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { sessions: Session[] }).sessions : [];
}

export function writeSessions(folder: string, sessions: readonly Session[]): void {
  replaceFile(join(folder, file), `${JSON.stringify({ sessions }, null, 2)}\n`);
}
