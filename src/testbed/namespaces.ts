/** A testbed's network namespaces and the processes in them, found by the testbed's mark alone. */
import { readdir, readlink, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../model/errors.ts';
import { run } from './run.ts';

const namespaceDirectory = '/run/netns';
const politeMs = 500;
const forcedMs = 5000;
const pollMs = 10;

/** Path of a named network namespace, for `nsenter --net=`. (`ip netns exec` would hide what agents make inside.) */
export function namespacePath(name: string): string {
  return `${namespaceDirectory}/${name}`;
}

/** All namespaces of a testbed: the nodes', the underlay's and those that agents made for virtual routers. */
export async function testbedNamespaces(id: string): Promise<string[]> {
  const names = await readdir(namespaceDirectory).catch(unlessMissing);
  return (names ?? []).filter((name) => name.startsWith(`pt${id}-`) || name.startsWith(`pt${id}_`)).sort();
}

/** The processes whose network namespace is one of these, by namespace; never this process. */
export async function processesIn(names: readonly string[]): Promise<Map<string, number[]>> {
  const nameOfLink = new Map<string, string>();
  for (const name of names) {
    const file = await stat(namespacePath(name)).catch(unlessMissing);
    if (file !== undefined) nameOfLink.set(`net:[${file.ino}]`, name);
  }
  const processes = new Map<string, number[]>(names.map((name) => [name, []]));
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  for (const pid of pids) {
    const link = pid === process.pid ? undefined : await readlink(`/proc/${pid}/ns/net`).catch(unlessMissing);
    const name = nameOfLink.get(link ?? '');
    if (name !== undefined) processes.get(name)?.push(pid);
  }
  return processes;
}

/** Ends exactly the processes of these namespaces: asked first, then forced. */
export async function endProcesses(names: readonly string[]): Promise<void> {
  if (await signalUntilGone(names, 'SIGTERM', politeMs)) return;
  if (await signalUntilGone(names, 'SIGKILL', forcedMs)) return;
  const left = [...(await processesIn(names)).values()].flat();
  throw new VnmError('failed', `processes ${left.join(', ')} of the testbed do not end`);
}

export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  if (names.length > 0) await run('ip', ['-batch', '-'], names.map((name) => `netns delete ${name}\n`).join(''));
}

/** Processes may start others while they are asked to end, so each look signals whoever is new. */
async function signalUntilGone(names: readonly string[], signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
  const signalled = new Set<number>();
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(pollMs)) {
    const pids = [...(await processesIn(names)).values()].flat();
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
    // It ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A namespace that was never made, a process that ended while we looked, or one that is not root's to look into. */
function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === undefined || !['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) throw error;
}
