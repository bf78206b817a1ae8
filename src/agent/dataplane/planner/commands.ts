/** Changes to the kernel, and their arguments for `ip` and `tc`. Pure. */
import { VnmError } from '../../../model/errors.ts';
import type { Machine } from '../../../vsys/machine.ts';
import type { Daemon } from '../../../vsys/operations.ts';
import {
  type Address,
  isGroup,
  type KernelRoute,
  type Link,
  type Neighbour,
  type Nexthop,
  ownStack,
  type Place,
  type RuleDirection,
  type Settings,
} from './state.ts';

/**
 * One line of `ip`, `tc` or `bridge`, a script for `nft`, files below /proc/sys/net, a pause in which packets get
 * through, a wait until a routing daemon listens at interfaces, or the daemon or virtual machine that there must be
 * (null: none), in a stack. `graceful`: see the operations. `rest`: the last words of a line, which many lines share;
 * begins with a space. `each`: a line for each of these words, before `rest`; their order does not matter.
 */
export type Step =
  | { readonly namespace: string; readonly ip: readonly string[]; readonly rest?: string }
  | ManyLines
  | { readonly namespace: string; readonly tc: readonly string[] }
  | { readonly namespace: string; readonly bridge: readonly string[] }
  | { readonly namespace: string; readonly nft: readonly string[] }
  | { readonly namespace: string; readonly settings: Settings }
  | { readonly namespace: string; readonly settleMs: number }
  | { readonly namespace: string; readonly listeners: readonly string[] }
  | { readonly namespace: string; readonly daemon: Daemon | null; readonly graceful?: true }
  | { readonly namespace: string; readonly machine: Machine | null; readonly incoming?: true };

export interface ManyLines {
  readonly namespace: string;
  readonly ip: readonly string[];
  readonly each: readonly string[];
  readonly rest: string;
}

/** An interface to create in a stack. */
export interface Device {
  readonly namespace: string;
  readonly link: Link;
}

/** A word without spaces, which separate words in a batch, or special characters. */
const plainWord = /^[\w.:/@%+,-]+$/;

/** Throws VnmError `unsupported` for a word that would not arrive unchanged in a batch. */
export function checkPlain(words: readonly string[]): void {
  for (const word of words) {
    if (!plainWord.test(word)) throw new VnmError('unsupported', `cannot pass ${JSON.stringify(word)} to 'ip'`);
  }
}

/** One device, or both ends of a pair. */
export type Devices = readonly [Device, ...Device[]];

/** A step, and the steps that restore exactly the state before it. */
export interface Command {
  readonly do: Step;
  readonly undo: readonly Step[];
}

export function ip(namespace: string, ...words: (string | number)[]): Step {
  return { namespace, ip: words.map(String) };
}

export function tc(namespace: string, ...words: string[]): Step {
  return { namespace, tc: words };
}

export function bridge(namespace: string, ...words: string[]): Step {
  return { namespace, bridge: words };
}

/** Runs all lines at once. */
export function nft(namespace: string, lines: readonly string[]): Step {
  return { namespace, nft: lines };
}

/** Returns the arguments between `link add` and the device's type. */
export function newDevice({ namespace, link }: Device): (string | number)[] {
  const { name, mtu, mac, arp, multicast } = link;
  const address = mac === undefined ? [] : ['address', mac];
  const off = [...(arp ? [] : ['arp', 'off']), ...(multicast ? [] : ['multicast', 'off'])];
  return [name, ...into(namespace), 'mtu', mtu, ...address, ...off];
}

function into(namespace: string): string[] {
  return namespace === ownStack ? [] : ['netns', namespace];
}

export function addressStep(action: 'add' | 'del', { namespace, name }: Place, address: Address): Step {
  const broadcast = address.broadcast === undefined ? [] : ['broadcast', address.broadcast];
  const bare = address.bare ? ['noprefixroute'] : [];
  return ip(namespace, 'address', action, `${address.address}/${address.length}`, ...broadcast, 'dev', name, ...bare);
}

export function neighbourStep(
  action: 'replace' | 'del',
  { namespace, name }: Place,
  { address, mac }: Neighbour,
): Step {
  return ip(namespace, 'neighbour', action, address, 'lladdr', mac, 'dev', name, 'nud', 'permanent');
}

/** `prepend` and `append` put an entry before or after others that differ in the next hop only. */
export function routeStep(
  action: 'add' | 'prepend' | 'append' | 'replace' | 'del',
  namespace: string,
  route: KernelRoute,
): Step {
  return { namespace, ip: [...routeWords(action, route), route.prefix], rest: sharedRest(route) };
}

/** For entries that have no prefix in common, but everything else. */
export function manyRoutesStep(
  action: 'add' | 'del',
  namespace: string,
  prefixes: readonly string[],
  route: KernelRoute,
): Step {
  return { namespace, ip: routeWords(action, route), each: prefixes, rest: sharedRest(route) };
}

function routeWords(action: string, { type }: KernelRoute): string[] {
  return ['route', action, ...(type === 'unicast' ? [] : [type])];
}

/** The last one: routes that follow each other have most in common. */
let last: { readonly route: KernelRoute; readonly rest: string } | undefined;

function sharedRest(route: KernelRoute): string {
  if (last === undefined || !isAlike(last.route, route)) {
    const words = restWords(route).map(String);
    checkPlain(words);
    last = { route, rest: ` ${words.join(' ')}` };
  }
  return last.rest;
}

function isAlike(a: KernelRoute, b: KernelRoute): boolean {
  return (
    a.nexthops === b.nexthops &&
    a.nexthopId === b.nexthopId &&
    a.table === b.table &&
    a.protocol === b.protocol &&
    a.metric === b.metric &&
    a.source === b.source &&
    a.onlink === b.onlink
  );
}

function restWords(route: KernelRoute): (string | number)[] {
  const { table, metric, protocol, source } = route;
  return [
    'table',
    table,
    'proto',
    protocol,
    ...(metric === undefined ? [] : ['metric', metric]),
    ...(source === undefined ? [] : ['src', source]),
    // Last, since `ip` accepts only next hops after the first of several.
    ...hopWords(route),
  ];
}

function hopWords({ nexthopId, nexthops, onlink }: KernelRoute): (string | number)[] {
  if (nexthopId !== undefined) return ['nhid', nexthopId];
  const several = nexthops.length > 1;
  return nexthops.flatMap(({ interface: name, via, weight }) => [
    ...(several ? ['nexthop'] : []),
    ...(via === undefined ? [] : ['via', via]),
    'dev',
    name,
    ...(via !== undefined && onlink ? ['onlink'] : []),
    ...(several ? ['weight', weight] : []),
  ]);
}

export function nexthopStep(action: 'add' | 'replace', nexthop: Nexthop): Step {
  if (!isGroup(nexthop)) {
    const via = nexthop.via === undefined ? [] : ['via', nexthop.via];
    const onlink = nexthop.onlink ? ['onlink'] : [];
    return ip(ownStack, 'nexthop', action, 'id', nexthop.id, ...via, 'dev', nexthop.interface, ...onlink);
  }
  const entries = nexthop.entries.map(({ id, weight }) => (weight === 1 ? String(id) : `${id},${weight}`)).join('/');
  const resilient = ['type', 'resilient', 'buckets', 1, 'idle_timer', 0, 'unbalanced_timer', 0];
  return ip(ownStack, 'nexthop', action, 'id', nexthop.id, 'group', entries, ...(nexthop.resilient ? resilient : []));
}

export function removeNexthopStep(id: number): Step {
  return ip(ownStack, 'nexthop', 'del', 'id', id);
}

export function ruleStep(
  action: 'add' | 'del',
  direction: RuleDirection,
  rule: { vnet: string; table: number; rulePriority: number },
): Step {
  return ip(ownStack, 'rule', action, direction, rule.vnet, 'lookup', rule.table, 'priority', rule.rulePriority);
}
