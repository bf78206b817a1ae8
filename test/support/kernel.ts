/** Reads the state of the kernel with `ip`, independent of the program under test. */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

export function ip(namespace: string, words: string): string {
  return execFileSync('ip', ['-n', namespace, ...words.split(' ')], { encoding: 'utf8' });
}

export interface RouteEntry {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

export function routes(namespace: string, which = ''): RouteEntry[] {
  return JSON.parse(ip(namespace, `-json route show ${which}`.trim())) as RouteEntry[];
}

/** Returns the name of the interface that has an IPv4 address. */
export function interfaceWith(namespace: string, address: string): string {
  const links = JSON.parse(ip(namespace, '-json address')) as { ifname: string; addr_info: { local: string }[] }[];
  const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === address));
  if (link === undefined) throw new Error(`no interface of '${namespace}' has ${address}`);
  return link.ifname;
}

/** Returns the network namespaces of a testbed. */
export function namespacesOf(testbed: { readonly id: string }): string[] {
  return readdirSync('/run/netns')
    .filter((name) => name.startsWith(`pt${testbed.id}`))
    .sort();
}

/**
 * Returns everything that an installation could change in a testbed's network: the namespaces, and for each its
 * interfaces, addresses, neighbours, rules, nexthops and routes of all tables, in an order independent of their
 * creation.
 */
export async function networkOf(testbed: { readonly id: string }): Promise<Record<string, unknown>> {
  const entries = namespacesOf(testbed).map(async (name) => [name, await stateOf(name)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const looks = ['address', 'neighbour show nud permanent', 'rule', 'nexthop', 'route show table all'];
/** Numbers that the kernel assigns in sequence, independent of what was removed. */
const counted = ['ifindex', 'link_index', 'link_netnsid', 'unbalanced_time'];

async function stateOf(namespace: string): Promise<Record<string, unknown>> {
  const states = looks.map(async (words) => {
    const { stdout } = await promisify(execFile)('ip', ['-n', namespace, '-json', ...words.split(' ')]);
    const list = JSON.parse(stdout, (key, value) => (counted.includes(key) ? undefined : value)) as unknown[];
    return [words, list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))] as const;
  });
  return Object.fromEntries(await Promise.all(states));
}

/** Returns the processes in a network namespace. */
export function processesOf(namespace: string): { pid: number; command: string }[] {
  return commandsOf(execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split('\n').filter(Boolean));
}

/** Returns the processes whose command contains the text, except this one. */
export function processesNaming(text: string): { pid: number; command: string }[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  return commandsOf(pids).filter(({ command }) => command.includes(text));
}

function commandsOf(pids: readonly string[]): { pid: number; command: string }[] {
  return pids.flatMap((pid) => {
    try {
      return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
    } catch (error) {
      // The process has ended meanwhile.
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
}
