/** The processes of routing daemons: started, found again, and ended. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../../model/errors.ts';
import { processStart } from '../../model/process-start.ts';
import { cannotRun, type Finished, run } from '../run.ts';
import { daemonRoot, type Place } from './place.ts';

export interface Running {
  /** Of its program. */
  readonly name: string;
  readonly pid: number;
  readonly start: string;
}

interface Started {
  /** Undefined if it could not be started. */
  readonly pid: number | undefined;
  readonly exited: Promise<number | null>;
}

/** Nothing of the agent's environment reaches a daemon. */
export const daemonEnvironment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** Generous for 100,000 routes; it keeps a daemon that grows without end from taking the node's memory. */
const usualDataBytes = 2 ** 30;
/** Under memory pressure the kernel ends a daemon, which is started again, before the agent and the node's services. */
const oomScore = '300';
const politeMs = 5000;
const forcedMs = 5000;
const pollMs = 20;
const answerSeconds = 20;

/**
 * Starts a program in the namespace of the place, as a process that outlives the agent. Its output goes to the place's
 * log. Not with `ip netns exec`, whose own mounts a checkpoint of the process could not restore. `exited` resolves to
 * the exit code of the started process, null after a signal; the process may have started others.
 */
export function startIn(
  place: Pick<Place, 'log' | 'netns'>,
  words: readonly string[],
  { dataBytes = usualDataBytes }: { readonly dataBytes?: number } = {},
): Started {
  const log = openSync(place.log, 'a', 0o600);
  try {
    const limits = ['--core=0', `--data=${dataBytes}`, '--nofile=4096'];
    const args = [...limits, 'nsenter', `--net=${place.netns}`, '--', ...words];
    const child = spawn('prlimit', args, {
      cwd: '/',
      env: daemonEnvironment,
      detached: true,
      stdio: ['ignore', log, log],
    });
    const exited = new Promise<number | null>((resolve, reject) => {
      child.once('exit', resolve);
      child.once('error', (error) => reject(cannotRun('prlimit', error)));
    });
    child.unref();
    return { pid: child.pid, exited };
  } finally {
    closeSync(log);
  }
}

/**
 * Finds the processes of a router's daemon: those in its network namespace whose command names a file of a daemon (one
 * that came from another node may name its folder there). So they are found whoever started them, and whatever was
 * written down about them; also in a network namespace that has no name any more.
 */
export function findIn(netns: number): Running[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((entry) => {
    const pid = Number(entry);
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) !== `net:[${netns}]`) return [];
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!words.some((word) => word.startsWith(`${daemonRoot}/`))) return [];
      const start = processStart(pid);
      return start === undefined ? [] : [{ name: basename(words[0]!), pid, start }];
    } catch (error) {
      // It has ended, or root may not look into it, as into that of a container's host.
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
}

/** Runs a program that reads a configuration or asks a daemon, neither of which is trusted to come to an end. */
export function runFor(words: readonly string[], seconds = answerSeconds): Promise<Finished> {
  return run('timeout', ['--kill-after=1', String(seconds), ...words]);
}

export function isRunning({ pid, start }: Running): boolean {
  return processStart(pid) === start;
}

/** Lets the kernel prefer these processes when it needs memory. */
export function preferForOom(processes: readonly Running[]): void {
  for (const { pid } of processes) {
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, oomScore);
    } catch (error) {
      // It has ended, which the supervisor notices.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

/**
 * Asks the processes that `find` returns to end, then kills them, and those that they start meanwhile. Throws VnmError
 * `failed` for those that stay.
 */
export function endProcesses(find: () => readonly Running[]): Promise<void> {
  return signalUntilEnded(find, [
    ['SIGTERM', politeMs],
    ['SIGKILL', forcedMs],
  ]);
}

/** Kills the processes that `find` returns, which may be stopped. Throws as `endProcesses`. */
export function killProcesses(find: () => readonly Running[]): Promise<void> {
  return signalUntilEnded(find, [['SIGKILL', forcedMs]]);
}

async function signalUntilEnded(
  find: () => readonly Running[],
  signals: readonly (readonly [NodeJS.Signals, number])[],
): Promise<void> {
  for (const [signal, patienceMs] of signals) {
    const signalled = new Set<number>();
    for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(pollMs)) {
      const running = find().filter(isRunning);
      if (running.length === 0) return;
      for (const one of running.filter(({ pid }) => !signalled.has(pid))) {
        signalProcess(one.pid, signal);
        signalled.add(one.pid);
      }
    }
  }
  const pids = find().map(({ pid }) => pid);
  if (pids.length > 0) throw new VnmError('failed', `processes ${pids.join(', ')} do not end`);
}

/** Waits until the processes have ended, at most this long. */
export async function ended(processes: readonly Running[], patienceMs: number): Promise<void> {
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(pollMs))
    if (!processes.some(isRunning)) return;
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended on its own.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Returns what the processes have printed, the older part first; what was cut off is missing. */
export function readLog({ log }: Place): string {
  return [`${log}.old`, log].map(textOf).join('');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Returns the last lines of the log that say something, for messages. */
export function lastWords({ log }: Pick<Place, 'log'>, from = 0): string {
  let text: string;
  try {
    text = readFileSync(log, 'utf8').slice(from);
  } catch {
    return 'its log cannot be read';
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-3).join('; ').slice(-500) || 'it says nothing in its log';
}
