/**
 * What a process has from whoever started it, beyond its environment. The agent lives on after the login that started it, and runs as
 * root: nothing of the login's may weaken it, or stay in use by it.
 */
import { closeSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { messageOf } from '../model/errors.ts';
import type { Log } from './log.ts';

/**
 * Constant, given to `sh -c`; runs its arguments in the root directory, without core dumps and with the system's usual limits,
 * processors and scheduling. What the system does not allow stays as it is (containers); `settle` says so.
 */
export const cleanStart = `
cd / || exit
umask 022
ulimit -c 0
{
  for limit in t f d m v; do ulimit -$limit unlimited; done
  ulimit -s 8192
  case $(ulimit -H -n) in unlimited|[1-9]??????*|[7-9]????|6[6-9]???) ;; *) ulimit -n 65536;; esac
  for limit in locks memlock msgqueue nproc rttime sigpending; do prlimit --pid $$ --$limit=unlimited; done
  taskset -cp 0-8191 $$
  chrt -o -p 0 $$
  ionice -c 0 -p $$
} >/dev/null 2>&1
exec env -u _ -u PWD -u OLDPWD -u SHLVL "$@"
`;

/** The daemon's part, for which no program is needed. Signals that were ignored Node.js sets right by itself. */
export function settle(log: Log): void {
  process.chdir('/');
  process.umask(0o022);
  const complaints = [
    attempt('priority', () => setPriority(0)),
    attempt('OOM score', () => writeFileSync('/proc/self/oom_score_adj', '0')),
    attempt('timer slack', () => writeFileSync('/proc/self/timerslack_ns', '50000')),
    attempt('resource limits', () => checkLimits(readFileSync('/proc/self/limits', 'utf8'))),
  ].filter((complaint) => complaint !== undefined);
  if (complaints.length > 0) log(`taken over from the login: ${complaints.join('; ')}`);
}

function attempt(what: string, run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return `${what}: ${messageOf(error)}`;
  }
}

/** Sockets of channels, streams and probes at their most. */
const leastFiles = 4096;
const unlimited = ['Max cpu time', 'Max file size', 'Max data size', 'Max address space', 'Max realtime timeout'];

/** Throws for limits, in the form of /proc/PID/limits, that the agent may run into. */
function checkLimits(text: string): void {
  const softLimit = (name: string) => new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1] ?? 'unlimited';
  const low = unlimited.filter((name) => softLimit(name) !== 'unlimited');
  if (Number(softLimit('Max open files')) < leastFiles) low.push('Max open files');
  if (low.length > 0) throw new Error(low.map((name) => `${name} ${softLimit(name)}`).join(', '));
}

/**
 * Closes what was open when this process began, other than its standard streams: a process that it starts would have it, too. All that
 * Node.js opens itself is closed on exec, which distinguishes them.
 */
export function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    if (descriptor > 2 && !isClosedOnExec(descriptor)) closeSync(descriptor);
  }
}

const closeOnExec = 0o2000000;

function isClosedOnExec(descriptor: number): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) !== 0;
  } catch {
    // The directory's own, which was open while it was read.
    return true;
  }
}
