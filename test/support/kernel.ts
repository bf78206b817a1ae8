/** What the kernel has, in its own words: by `ip`, past the program under test. */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
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

/** Name of the interface that has an IPv4 address. */
export function interfaceWith(namespace: string, address: string): string {
  const links = JSON.parse(ip(namespace, '-json address')) as { ifname: string; addr_info: { local: string }[] }[];
  const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === address));
  if (link === undefined) throw new Error(`no interface of '${namespace}' has ${address}`);
  return link.ifname;
}

/** The network namespaces of a testbed. */
export function namespacesOf(testbed: { readonly id: string }): string[] {
  return readdirSync('/run/netns')
    .filter((name) => name.startsWith(`pt${testbed.id}`))
    .sort();
}

/**
 * All that an installation could change in a testbed's network: which namespaces there are, and of each the interfaces, addresses,
 * neighbours, rules, nexthops and routes of all tables. Without the interfaces' numbers, which count all that ever were.
 */
export async function networkOf(testbed: { readonly id: string }): Promise<Record<string, unknown>> {
  const entries = namespacesOf(testbed).map(async (name) => [name, await stateOf(name)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const looks = ['address', 'neighbour show nud permanent', 'rule', 'nexthop', 'route show table all'];

async function stateOf(namespace: string): Promise<unknown[]> {
  const outputs = looks.map(async (words) => {
    const { stdout } = await promisify(execFile)('ip', ['-n', namespace, '-json', ...words.split(' ')]);
    return JSON.parse(stdout, (key, value) => (key === 'ifindex' || key === 'link_index' ? undefined : value)) as unknown;
  });
  return Promise.all(outputs);
}
