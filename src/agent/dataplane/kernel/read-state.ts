/** Reads the kernel: one `ip` process per network stack. */
import { createHash } from 'node:crypto';
import { VnmError } from '../../../model/errors.ts';
import { packRoutes } from '../../../model/packed-routes.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { isRouterNamespace } from '../../../vsys/presence.ts';
import type { Table } from '../dataplane.ts';
import { controlDevice } from '../planner/control.ts';
import { withSecondSender } from '../planner/filter.ts';
import { type FilterJson, gatedBy, hasHook, parseGate, parseRedirect, type QdiscJson } from '../planner/gate.ts';
import { toRoutes } from '../planner/inventory.ts';
import { isTap, isTapName, listPortWords, parsePortRules } from '../planner/ports.ts';
import { interfaceSettingFiles, routerSettingFiles } from '../planner/settings.ts';
import {
  type KernelRoute,
  type KernelState,
  type Link,
  type OwnAddress,
  ownStack,
  type Place,
  type Settings,
  type Stack,
  type TunnelFilter,
} from '../planner/state.ts';
import { switchDevices } from '../planner/switch-devices.ts';
import { isPair } from '../planner/tunnels/registry.ts';
import { printBatch, showAndSave, showBatch } from './ip.ts';
import { parseOwnAddresses } from './own-addresses.ts';
import {
  type LinkJson,
  type NeighbourJson,
  type NexthopJson,
  parseLink,
  parseNexthops,
  parseRoutes,
  type RouteJson,
  type RuleJson,
  ruleDirection,
} from './parse.ts';
import { listAllNamespaces } from './presence.ts';
import { type ReadControl, readControl } from './read-control.ts';
import { nftIn, nftWords, readFilter } from './read-filter.ts';
import { digestOf, packedRoutesIn, routesIn } from './route-dump.ts';
import { readSettings } from './settings.ts';

/** A stack as read, with what is needed to find the other ends of veth pairs. */
interface RawStack {
  readonly namespace: string;
  readonly links: readonly LinkJson[];
  readonly gates: ReadonlyMap<string, GateParts>;
  readonly neighbours: readonly NeighbourJson[];
  readonly routes: Stack['routes'];
  readonly control?: ReadControl;
  readonly portRules?: readonly string[];
  /** Names of namespaces by this stack's ids for them. */
  readonly names: ReadonlyMap<number, string | undefined>;
}

type GateParts = Pick<Link, 'hook' | 'gate' | 'redirect'>;

/** Returns addresses that cannot belong to another node. */
export async function readOwnAddresses(): Promise<OwnAddress[]> {
  const [links, local] = (await showBatch('ip', ownStack, [
    ['address', 'show'],
    ['route', 'show', 'table', 'local'],
  ])) as [LinkJson[], RouteJson[]];
  return parseOwnAddresses(links, local);
}

/** Returns the slice's router namespaces, sorted. */
async function listNamespaces(policy: Policy): Promise<string[]> {
  const names = await listAllNamespaces();
  return names.filter((name) => isRouterNamespace(policy, name)).sort();
}

/**
 * Reads everything of the slice on this node. `settingsOf`: the router namespaces whose settings to read; `filters`:
 * whether to read the filter.
 */
export async function readState(
  policy: Policy,
  settingsOf: ReadonlySet<string>,
  filters = false,
): Promise<KernelState> {
  const namespaces = await listNamespaces(policy);
  const [filter, own, ...routers] = await Promise.all([
    filters ? readFilter(policy) : undefined,
    readOwn(policy),
    ...namespaces.map((namespace) => readRouter(policy, namespace)),
  ]);
  const raw = [own.stack, ...routers];
  const stacks = await Promise.all(
    raw.map(async (stack) => {
      const complete = await completeStack(stack, raw, settingsOf);
      const links = [...complete.links.values()].map((link) => withSenders(link, filter));
      const steered = await withSteering(stack.namespace, links);
      return [stack.namespace, { ...complete, links: new Map(steered.map((link) => [link.name, link])) }] as const;
    }),
  );
  const { nexthops, rules, ownAddresses } = own;
  return { stacks: new Map(stacks), nexthops, rules, ownAddresses, ...(filter === undefined ? {} : { filter }) };
}

function withSenders(link: Link, filter: TunnelFilter | undefined): Link {
  return link.vxlan === undefined ? link : { ...link, vxlan: withSecondSender(link.vxlan, filter) };
}

interface EntryJson {
  mac: string;
  dst?: string;
}

/** Reads which frames go to the second sender, where a tunnel has one: while a router moves. */
async function withSteering(namespace: string, links: readonly Link[]): Promise<readonly Link[]> {
  const moving = links.filter(({ vxlan }) => vxlan?.alsoFrom !== undefined).map(({ name }) => name);
  if (moving.length === 0) return links;
  const answers = await showBatch(
    'bridge',
    namespace,
    moving.map((name) => ['fdb', 'show', 'dev', name]),
  );
  return links.map((link) => {
    const entries = answers[moving.indexOf(link.name)] as EntryJson[] | undefined;
    const found = entries?.find(({ mac, dst }) => dst === link.vxlan!.alsoFrom && mac !== anyMac);
    return found === undefined ? link : { ...link, vxlan: { ...link.vxlan!, alsoMac: found.mac } };
  });
}

/** Of the entry that leads all other frames. */
const anyMac = '00:00:00:00:00:00';

const commonLines = [
  ['address', 'show'],
  ['neighbour', 'show', 'nud', 'permanent'],
  ['netns', 'list-id'],
] as const;

async function readOwn(
  policy: Policy,
): Promise<Required<Pick<KernelState, 'nexthops' | 'rules' | 'ownAddresses'>> & { stack: RawStack }> {
  const { table } = policy;
  const [links, neighbours, names, routes, nexthops, rules, local] = (await showBatch('ip', ownStack, [
    ...commonLines,
    ['route', 'show', 'table', String(table)],
    ['nexthop', 'show'],
    ['rule', 'show'],
    ['route', 'show', 'table', 'local'],
  ])) as [LinkJson[], NeighbourJson[], NamespaceJson[], RouteJson[], NexthopJson[], RuleJson[], RouteJson[]];
  const own = links.filter(({ ifname }) => ifname.startsWith(policy.interfacePrefix));
  const { first, last } = policy.nexthops;
  const ours = rules.filter(({ priority }) => priority === policy.rulePriority);
  const directions = ours.map((rule) => ruleDirection(rule, policy.vnet, table));
  return {
    stack: {
      namespace: ownStack,
      links: own,
      gates: await readGates(own),
      neighbours,
      routes: parseRoutes(routes, table, true),
      names: namesById(names),
    },
    nexthops: parseNexthops(nexthops.filter(({ id }) => id >= first && id <= last)),
    rules: new Set(directions.filter((direction) => direction !== undefined)),
    ownAddresses: parseOwnAddresses(links, local),
  };
}

/**
 * Reads the entries of one router's main table, or of the slice's own, and nothing else: a node may have many routers,
 * each of which is read. Of a table that is `known` only the digest: with 10,000 entries that takes a fraction of the
 * time. Undefined if there is no such namespace.
 */
export async function readRoutes(policy: Policy, namespace: string, known?: string): Promise<Table | undefined> {
  if (namespace === ownStack) return readOwnRoutes(policy, known);
  if (!(await listNamespaces(policy)).includes(namespace)) return undefined;
  const { documents, dump } = await showAndSave(namespace, [['link', 'show']]);
  const interfaces = interfacesOf(documents[0] as LinkJson[]);
  const digest = digestOf(dump, interfaces);
  return digest === known ? { digest } : { digest, packed: packedRoutesIn(dump, interfaces) };
}

async function readOwnRoutes({ table }: Policy, known?: string): Promise<Table> {
  const [text = ''] = await printBatch('ip', ownStack, [['route', 'show', 'table', String(table)]]);
  const digest = createHash('sha256').update(text).digest('hex');
  if (digest === known) return { digest };
  const parsed = parseRoutes(JSON.parse(text) as RouteJson[], table, true);
  const routes = [...parsed.values()].filter((route) => route.table === table);
  return { digest, packed: packRoutes(toRoutes(routes)) };
}

function interfacesOf(links: readonly LinkJson[]): Map<number, string> {
  return new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]));
}

async function readRouter(policy: Policy, namespace: string): Promise<RawStack> {
  const { documents, dump } = await showAndSave(namespace, commonLines);
  const [found, neighbours, names] = documents as [LinkJson[], NeighbourJson[], NamespaceJson[]];
  const all = found.filter(({ ifname }) => !switchDevices.includes(ifname));
  // The taps of a machine belong to it, and so do the routes over them.
  const links = all.filter((link) => !isTap(link));
  const portRules = links.length === all.length ? undefined : await readPortRules(namespace);
  const device = controlDevice(policy.interfacePrefix, namespace);
  const control = links.some(({ ifname }) => ifname === device.name) ? await readControl(device) : undefined;
  const gate = control?.gate === undefined ? [] : [[device.name, { hook: false, gate: control.gate }] as const];
  return {
    namespace,
    links,
    gates: new Map(gate),
    ...(control === undefined ? {} : { control }),
    ...(portRules === undefined ? {} : { portRules }),
    neighbours,
    routes: withoutTaps(routesIn(dump, interfacesOf(all))),
    names: namesById(names),
  };
}

/** Returns the names of the rules that join links with a machine; undefined without a table. */
async function readPortRules(namespace: string): Promise<string[] | undefined> {
  const { code, stdout, stderr } = await nftIn(namespace, listPortWords);
  if (code === 0) return parsePortRules(JSON.parse(stdout));
  if (stderr.includes('No such file or directory')) return undefined;
  throw new VnmError('failed', `nft ${listPortWords.join(' ')}: ${nftWords(stderr)}`);
}

function withoutTaps(routes: Stack['routes']): Stack['routes'] {
  const isOverTap = ({ nexthops }: KernelRoute) => nexthops.some((hop) => isTapName(hop.interface));
  return [...routes.values()].some(isOverTap) ? new Map([...routes].filter(([, route]) => !isOverTap(route))) : routes;
}

/** Returns what `tc` knows of interfaces, by their names; reads filters only of interfaces with a gate. */
async function readGates(links: readonly LinkJson[]): Promise<Map<string, GateParts>> {
  const names = links.map(({ ifname }) => ifname);
  const gates = links.filter(({ linkinfo }) => linkinfo?.info_kind === 'ifb').map(({ ifname }) => ifname);
  const gated = names.filter((name) => gates.some((gate) => gatedBy(gate) === name));
  const answers = await askTc([
    ...names.map((name) => ['qdisc', 'show', 'dev', name]),
    ...gated.map((name) => ['filter', 'show', 'dev', name, 'ingress']),
  ]);
  const parts = names.map((name, index): [string, GateParts] => {
    const qdiscs = (answers[index] ?? []) as QdiscJson[];
    const filters = gated.includes(name) ? answers[names.length + gated.indexOf(name)] : undefined;
    const gate = gates.includes(name) ? parseGate(qdiscs) : {};
    return [name, { hook: hasHook(qdiscs), ...gate, ...parseRedirect((filters ?? []) as FilterJson[]) }];
  });
  return new Map(parts);
}

/** Returns no answers if the node has no `tc`, or no kernel support for it, and so no gates. */
async function askTc(lines: readonly (readonly string[])[]): Promise<unknown[][]> {
  if (lines.length === 0) return [];
  try {
    return await showBatch('tc', ownStack, lines);
  } catch (error) {
    if (error instanceof VnmError && (error.code === 'unsupported' || error.message.endsWith('not supported')))
      return [];
    throw error;
  }
}

interface NamespaceJson {
  nsid: number;
  name?: string;
}

function namesById(list: readonly NamespaceJson[]): Map<number, string | undefined> {
  return new Map(list.map(({ nsid, name }) => [nsid, name]));
}

async function completeStack(
  { namespace, links, gates, neighbours, routes, names, control: found, portRules }: RawStack,
  all: readonly RawStack[],
  settingsOf: ReadonlySet<string>,
): Promise<Stack> {
  const complete = links.map((json): Link => {
    const peer = isPair({ kind: json.linkinfo?.info_kind ?? '' }) ? findPeer(json, namespace, names, all) : undefined;
    return { ...parseLink(json, neighbours), ...gates.get(json.ifname), ...(peer === undefined ? {} : { peer }) };
  });
  const settings = await completeSettings(namespace, complete, settingsOf);
  const { gate: _, ...control } = found ?? {};
  return {
    links: new Map(complete.map((link) => [link.name, link])),
    routes,
    settings,
    ...control,
    ...(portRules === undefined ? {} : { portRules }),
  };
}

async function completeSettings(
  namespace: string,
  links: readonly Link[],
  settingsOf: ReadonlySet<string>,
): Promise<Settings> {
  if (namespace === ownStack) return readSettings(ownStack, links.flatMap(interfaceSettingFiles));
  return settingsOf.has(namespace) ? readSettings(namespace, routerSettingFiles(links)) : new Map();
}

/**
 * Finds the other end of a pair. A namespace that is not a router's is taken for the node's own stack: that may have
 * any name, or none.
 */
function findPeer(
  json: LinkJson,
  namespace: string,
  names: RawStack['names'],
  all: readonly RawStack[],
): Place | undefined {
  if (json.link !== undefined) return { namespace, name: json.link };
  const name = names.get(json.link_netnsid ?? -1);
  const stack =
    all.find((candidate) => candidate.namespace === name) ?? all.find((candidate) => candidate.namespace === ownStack);
  const peer = stack?.links.find(
    ({ ifindex, link_index }) => ifindex === json.link_index && link_index === json.ifindex,
  );
  return stack === undefined || peer === undefined ? undefined : { namespace: stack.namespace, name: peer.ifname };
}
