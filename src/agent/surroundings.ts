/**
 * What a process inherits from the process that started it, besides its environment. The agent outlives the login that
 * started it, and runs as root: nothing of the login may weaken it, and it must not keep anything of the login in use.
 */
import { closeSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { messageOf } from '../model/errors.ts';
import type { Log } from './log.ts';

/** Resets what the daemon can reset itself, without a program. Node.js itself resets ignored signals. */
export function resetInherited(log: Log): void {
  process.chdir('/');
  process.umask(0o022);
  const complaints = [
    attempt('priority', () => setPriority(0)),
    ...(process.platform === 'linux' ? resetLinux() : []),
  ].filter((complaint) => complaint !== undefined);
  if (complaints.length > 0) log(`inherited from the login: ${complaints.join('; ')}`);
}

function resetLinux(): (string | undefined)[] {
  return [
    attempt('OOM score', () => writeFileSync('/proc/self/oom_score_adj', '0')),
    attempt('timer slack', () => writeFileSync('/proc/self/timerslack_ns', '50000')),
    attempt('resource limits', () => checkLimits(readFileSync('/proc/self/limits', 'utf8'))),
  ];
}

function attempt(what: string, run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return `${what}: ${messageOf(error)}`;
  }
}

/** The most sockets of channels, streams and probes. */
const leastFiles = 4096;
const unlimited = ['Max cpu time', 'Max file size', 'Max data size', 'Max address space', 'Max realtime timeout'];

/** Throws if limits, in the format of /proc/PID/limits, are low enough for the agent to reach them. */
function checkLimits(text: string): void {
  const softLimit = (name: string) => new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1] ?? 'unlimited';
  const low = unlimited.filter((name) => softLimit(name) !== 'unlimited');
  if (Number(softLimit('Max open files')) < leastFiles) low.push('Max open files');
  if (low.length > 0) throw new Error(low.map((name) => `${name} ${softLimit(name)}`).join(', '));
}

/**
 * Closes the files that were open when this process began, other than its standard streams: its child processes would
 * inherit them, too. Node.js opens its own files with close-on-exec, which distinguishes them. Only Linux tells which
 * files have it; elsewhere `cleanStart` closes those that a shell can name.
 */
export function closeInherited(): void {
  if (!existsSync(openFiles)) return;
  for (const name of readdirSync(openFiles)) {
    const descriptor = Number(name);
    if (descriptor > 2 && !isClosedOnExec(descriptor)) closeSync(descriptor);
  }
}

const openFiles = '/proc/self/fd';
const closeOnExec = 0o2000000;

function isClosedOnExec(descriptor: number): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) !== 0;
  } catch {
    // The descriptor of the directory itself, which was open while it was read.
    return true;
  }
}
