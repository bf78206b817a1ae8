/** Ends processes of a testbed, and finds those of one without namespaces. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../model/errors.ts';

const politeMs = 500;
const forcedMs = 5000;
const pollMs = 10;

/** Asks the processes that `find` returns to end, then kills them. Throws VnmError `failed` for those that stay. */
export async function endProcesses(find: () => Promise<number[]>): Promise<void> {
  if (await signalUntilGone(find, 'SIGTERM', politeMs)) return;
  if (await signalUntilGone(find, 'SIGKILL', forcedMs)) return;
  throw new VnmError('failed', `processes ${(await find()).join(', ')} of the testbed do not end`);
}

/** Processes may start others while they end, so each round signals the new ones. */
async function signalUntilGone(
  find: () => Promise<number[]>,
  signal: NodeJS.Signals,
  patienceMs: number,
): Promise<boolean> {
  const signalled = new Set<number>();
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(pollMs)) {
    const pids = await find();
    if (pids.length === 0) return true;
    for (const pid of pids.filter((pid) => !signalled.has(pid))) {
      signalProcess(pid, signal);
      signalled.add(pid);
    }
  }
  return false;
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended on its own.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Returns the Node.js processes that were started with a file below the directory, which is a testbed's: its servers,
 * its relay and the agents of its nodes. Never this process.
 */
export async function processesBelow(directory: string): Promise<number[]> {
  return (await commandsBelow(directory)).map(({ pid }) => pid);
}

/** As `processesBelow`, with the words of their commands. */
export async function commandsBelow(directory: string): Promise<RunningCommand[]> {
  const commands = process.platform === 'linux' ? await commandsInProc() : await commandsByPs();
  const isBelow = (word: string) => word.startsWith(`${directory}/`);
  return commands.filter(({ pid, words }) => pid !== process.pid && words.some(isNode) && words.some(isBelow));
}

export interface RunningCommand {
  readonly pid: number;
  readonly words: readonly string[];
}

const isNode = (command: string) => basename(command) === 'node';

async function commandsInProc(): Promise<RunningCommand[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const commands = pids.map(async (pid) => {
    // The process has ended meanwhile.
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return { pid: Number(pid), words: line.split('\0') };
  });
  return Promise.all(commands);
}

/** A testbed's paths have no spaces on such a system (`placeOf`). */
async function commandsByPs(): Promise<RunningCommand[]> {
  const child = spawn('ps', ['-axwwo', 'pid=,args='], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = (await text(child.stdout)).split('\n').map((line) => line.trim().split(/\s+/));
  return lines.map(([pid, ...words]) => ({ pid: Number(pid), words }));
}
