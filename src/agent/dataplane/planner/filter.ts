/**
 * The slice's packet filter: the script for `nft`, and what `nft` shows. It accepts tunnel packets only from the
 * tunnel's remote, on whatever interface they arrive (also loopback), and drops what the slice's interfaces in the
 * node's own stack must neither accept nor send. There is one table per slice, whose rules do not change; the tunnels
 * are elements of its sets. A tunnel that ran before there was a filter is watched: it accepts packets from any sender
 * until its remote has been seen to send from the expected address. Pure.
 */
import { tunnelKinds } from '../../../model/tunnel.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { filterTable } from '../../../vsys/presence.ts';
import { hasIpv6 } from './quiet.ts';
import type { Link, TunnelFilter, VxlanEnds } from './state.ts';

/** `inet` also covers IPv6; a kernel without IPv6 does not have it. */
const family = hasIpv6 ? 'inet' : 'ip';

/** Before conntrack and before all other rules, none of which accepts what is dropped here. */
const priority = -300;

/** Destination port and VNI of a VXLAN packet. Other packets have other values there, or are too short. */
const tunnel = 'udp dport . @th,96,24';

/**
 * The sets of remembered senders, with their size and timeout: expected senders of watched tunnels, and other senders,
 * which cannot fill the first set.
 */
const senders = ['right', 'heard'] as const;
const remember = (set: (typeof senders)[number]) => `update @${set} { ${tunnel} . ip saddr }`;
const sendersSet = `size 1024 ; flags dynamic,timeout ; timeout 10m ;`;

type FilterOwner = Pick<Policy, 'interfacePrefix'>;

/** The rules. Each has a name for `parseFilter`, since the way `nft` shows rules depends on its version. */
function rules(interfacePrefix: string): readonly (readonly [chain: 'input' | 'output', rule: string])[] {
  const [from, to] = [`iifname "${interfacePrefix}*"`, `oifname "${interfacePrefix}*"`];
  const to4 = `${to} ip daddr { 224.0.0.0/4, 255.255.255.255 }`;
  return [
    ...(hasIpv6
      ? ([
          ['input', `${from} meta nfproto ipv6 drop`],
          ['output', `${to} meta nfproto ipv6 drop`],
        ] as const)
      : []),
    ['input', `${from} meta pkttype != host drop`],
    ['input', `${from} fib daddr type { broadcast, multicast } drop`],
    ['input', `${from} icmp type redirect drop`],
    ['output', `${to4} drop`],
    ['output', `${to} icmp type redirect drop`],
    // These are separate rules: a full set ends its rule, and nothing else.
    ['input', `meta nfproto ipv4 ${tunnel} @watched ${tunnel} . ip saddr @remotes ${remember('right')}`],
    ['input', `meta nfproto ipv4 ${tunnel} . ip saddr @remotes accept`],
    ['input', `meta nfproto ipv4 ${tunnel} @watched ${remember('heard')}`],
    ['input', `meta nfproto ipv4 ${tunnel} @tunnels ${remember('heard')}`],
    ['input', `meta nfproto ipv4 ${tunnel} @tunnels drop`],
  ];
}

/** The name of a rule in this version. */
const mark = (index: number) => `pl-vnm 3.${index}`;

function tableLines({ interfacePrefix }: FilterOwner): string[] {
  const table = `${family} ${filterTable({ interfacePrefix })}`;
  return [
    `add table ${table}`,
    `add set ${table} tunnels { typeof ${tunnel} ; }`,
    `add set ${table} watched { typeof ${tunnel} ; }`,
    ...senders.map((set) => `add set ${table} ${set} { typeof ${tunnel} . ip saddr ; ${sendersSet} }`),
    `add set ${table} remotes { typeof ${tunnel} . ip saddr ; }`,
    ...['input', 'output'].map(
      (chain) => `add chain ${table} ${chain} { type filter hook ${chain} priority ${priority} ; policy accept ; }`,
    ),
    ...rules(interfacePrefix).map(
      ([chain, rule], index) => `add rule ${table} ${chain} ${rule} comment "${mark(index)}"`,
    ),
  ];
}

/**
 * Returns the lines of a script that turns one filter into the other. The kernel applies it as a whole or not at all.
 */
export function filterLines(policy: FilterOwner, from: TunnelFilter, to: TunnelFilter): readonly string[] {
  const table = `${family} ${filterTable(policy)}`;
  if (to.table === 'none') return from.table === 'none' ? [] : [`delete table ${table}`];
  if (from.table === 'complete') {
    return [...elementLines('add', table, without(to, from)), ...elementLines('delete', table, without(from, to))];
  }
  const remove = from.table === 'none' ? [] : [`delete table ${table}`];
  return [...remove, ...tableLines(policy), ...elementLines('add', table, elementsOf(to))];
}

interface Elements {
  readonly tunnels: readonly string[];
  readonly watched: readonly string[];
  readonly remotes: readonly string[];
}

function elementsOf({ remotes, watched }: TunnelFilter): Elements {
  return {
    tunnels: [...remotes.keys()].filter((key) => !watched.has(key)),
    watched: [...watched],
    remotes: [...remotes].flatMap(([key, addresses]) => [...addresses].map((address) => `${key} . ${address}`)),
  };
}

/** Returns the elements of a filter that the other one lacks. */
function without(filter: TunnelFilter, other: TunnelFilter): Elements {
  const [own, others] = [elementsOf(filter), elementsOf(other)];
  const lacking = (elements: readonly string[], from: readonly string[]) => {
    const known = new Set(from);
    return elements.filter((element) => !known.has(element));
  };
  return {
    tunnels: lacking(own.tunnels, others.tunnels),
    watched: lacking(own.watched, others.watched),
    remotes: lacking(own.remotes, others.remotes),
  };
}

function elementLines(action: 'add' | 'delete', table: string, elements: Elements): string[] {
  return (['tunnels', 'watched', 'remotes'] as const)
    .filter((set) => elements[set].length > 0)
    .map((set) => `${action} element ${table} ${set} { ${elements[set].join(', ')} }`);
}

/** Returns the key of a tunnel in the filter's sets. */
export function tunnelKey({ port, vni }: Pick<VxlanEnds, 'port' | 'vni'>): string {
  return `${port} . ${vni}`;
}

/**
 * Returns the filter that a slice with these interfaces needs: none without interfaces. `isWatched`: whether a tunnel
 * is watched.
 */
export function filterFor(links: readonly Link[], isWatched: (end: VxlanEnds) => boolean): TunnelFilter {
  if (links.length === 0) return noFilter;
  const ends = links.flatMap(({ vxlan }) => (vxlan === undefined ? [] : [vxlan]));
  const remotes = new Map(ends.map((end) => [tunnelKey(end), sendersOf(end)]));
  return { table: 'complete', remotes, watched: new Set(ends.filter(isWatched).map(tunnelKey)), heard: new Map() };
}

/** The addresses from which a tunnel accepts packets. */
export function sendersOf({ remote, alsoFrom }: { remote: string; alsoFrom?: string | undefined }): Set<string> {
  return new Set(alsoFrom === undefined ? [remote] : [remote, alsoFrom]);
}

/** Returns a tunnel with the second sender that the filter accepts, if there is one. */
export function withSecondSender(end: VxlanEnds, filter: TunnelFilter | undefined): VxlanEnds {
  const others = [...(filter?.remotes.get(tunnelKey(end)) ?? [])].filter((address) => address !== end.remote);
  return others.length === 1 ? { ...end, alsoFrom: others[0]! } : end;
}

/** Returns a filter that accepts what either of them accepts, so that one can replace the other without loss. */
export function unionOf(filter: TunnelFilter, other: TunnelFilter): TunnelFilter {
  const keys = new Set([...filter.remotes.keys(), ...other.remotes.keys()]);
  const addresses = (key: string) => [...(filter.remotes.get(key) ?? []), ...(other.remotes.get(key) ?? [])];
  return {
    table: 'complete',
    remotes: new Map([...keys].map((key) => [key, new Set(addresses(key))])),
    watched: new Set([...filter.watched, ...other.watched]),
    heard: filter.heard,
  };
}

export const noFilter: TunnelFilter = { table: 'none', remotes: new Map(), watched: new Set(), heard: new Map() };

export const listWords = (policy: FilterOwner): string[] => [
  ...['-j', '-n', 'list', 'table', family],
  filterTable(policy),
];

/** A policy for a trial of the whole table, with two tunnels. */
export const trialPolicy = { interfacePrefix: 'trial-' };
const trialPort = tunnelKinds.vxlan.carriedBy.port;
export const trialFilter: TunnelFilter = {
  table: 'complete',
  remotes: new Map([1, 2].map((vni) => [tunnelKey({ port: trialPort, vni }), new Set(['192.0.2.1'])])),
  watched: new Set([tunnelKey({ port: trialPort, vni: 2 })]),
  heard: new Map(),
};

export function filterScript(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** The parts of `nft`'s JSON that are read. */
export interface TableJson {
  nftables: readonly {
    chain?: { name: string; hook?: string; prio?: number; policy?: string };
    set?: { name: string; elem?: readonly (Element | { elem?: { val?: Element } })[] };
    rule?: { chain: string; comment?: string };
  }[];
}

/** An element with a timeout is wrapped. */
interface Element {
  concat?: readonly (string | number)[];
}

export function parseFilter({ interfacePrefix }: FilterOwner, json: TableJson): TunnelFilter {
  const set = (name: string) =>
    json.nftables
      .flatMap((item) => (item.set?.name === name ? (item.set.elem ?? []) : []))
      .map((item) => ('elem' in item ? item.elem?.val : (item as Element))?.concat ?? []);
  const keyOf = ([port, vni]: readonly (string | number)[]) => tunnelKey({ port: Number(port), vni: Number(vni) });
  const watched = new Set(set('watched').map(keyOf));
  const keys = [...set('tunnels').map(keyOf), ...watched];
  const remotes = new Map<string, Set<string>>(keys.map((key) => [key, new Set()]));
  let isComplete = ['input', 'output'].every((chain) => hasChain(json, chain, interfacePrefix));
  for (const element of set('remotes')) {
    const addresses = remotes.get(keyOf(element));
    if (addresses === undefined) isComplete = false;
    else addresses.add(String(element[2]));
  }
  const heard = new Map<string, Set<string>>();
  for (const element of senders.flatMap(set)) {
    const key = keyOf(element);
    heard.set(key, (heard.get(key) ?? new Set()).add(String(element[2])));
  }
  return { table: isComplete ? 'complete' : 'damaged', remotes, watched, heard };
}

function hasChain({ nftables }: TableJson, name: string, interfacePrefix: string): boolean {
  const chain = nftables.find((item) => item.chain?.name === name)?.chain;
  if (chain?.hook !== name || chain.prio !== priority || chain.policy !== 'accept') return false;
  const found = nftables.flatMap(({ rule }) => (rule?.chain === name ? [rule.comment ?? ''] : []));
  const wanted = rules(interfacePrefix).flatMap(([at], index) => (at === name ? [mark(index)] : []));
  return found.join('\n') === wanted.join('\n');
}
