/** A testbed's network namespaces and the processes in them, found only by the testbed's mark. */
import type { Stats } from 'node:fs';
import { open, readdir, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { daemonRoot } from '../agent/daemons/place.ts';
import { endProcesses } from './processes.ts';
import { run } from './run.ts';

const namespaceDirectory = '/run/netns';

/**
 * Returns the path of a named network namespace, for `nsenter --net=`. (`ip netns exec` would hide what agents make
 * inside.)
 */
export function namespacePath(name: string): string {
  return `${namespaceDirectory}/${name}`;
}

/** Returns all namespaces of a testbed: the nodes', the underlay's and those that agents made for virtual routers. */
export async function testbedNamespaces(id: string): Promise<string[]> {
  const names = await readdir(namespaceDirectory).catch(unlessMissing);
  return (names ?? []).filter((name) => name.startsWith(`pt${id}-`) || name.startsWith(`pt${id}_`)).sort();
}

/** Returns, by namespace, the processes whose network namespace it is; never this process. */
export async function processesIn(names: readonly string[]): Promise<Map<string, number[]>> {
  const links = await Promise.all(
    names.map(async (name) => linkOf(await stat(namespacePath(name)).catch(unlessMissing))),
  );
  const processes = await processesByLink(links);
  return new Map(names.map((name, index) => [name, processes.get(links[index] ?? '') ?? []]));
}

/** Ends exactly the processes in the testbed's namespaces and deletes the namespaces. */
export async function removeNamespaces(id: string): Promise<void> {
  const names = await testbedNamespaces(id);
  if (names.length === 0) return;
  // While a file is open, the number of its deleted namespace is not given to another one.
  const files = await Promise.all(names.map((name) => open(namespacePath(name)).catch(unlessMissing)));
  try {
    const links = await Promise.all(files.map(async (file) => linkOf(await file?.stat())));
    const find = async () => [...(await processesByLink(links)).values()].flat();
    await endProcesses(find);
    // Until now agents may have made or deleted some.
    const left = await testbedNamespaces(id);
    if (left.length > 0) await run('ip', ['-batch', '-'], left.map((name) => `netns delete ${name}\n`).join(''));
    // Of routers' daemons, which have just been ended.
    await Promise.all(names.map((name) => rm(join(daemonRoot, name), { recursive: true, force: true })));
    // No process can enter any more; this ends those that just did, started by an interrupted `up`.
    await endProcesses(find);
  } finally {
    await Promise.all(files.map((file) => file?.close()));
  }
}

/** Returns the namespace's name as `/proc/PID/ns/net` gives it. */
function linkOf(file: Stats | undefined): string {
  return `net:[${file?.ino ?? 'gone'}]`;
}

async function processesByLink(links: readonly string[]): Promise<Map<string, number[]>> {
  const processes = new Map<string, number[]>(links.map((link) => [link, []]));
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  for (const pid of pids.filter((pid) => pid !== process.pid)) {
    const link = await readlink(`/proc/${pid}/ns/net`).catch(unlessGone);
    processes.get(link ?? '')?.push(pid);
  }
  return processes;
}

/** The process ended meanwhile, or root may not look into it. */
function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === undefined || !['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) throw error;
}

/** The directory comes with the machine's first namespace; routers' namespaces come and go. */
function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
