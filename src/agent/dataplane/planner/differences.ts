/**
 * Compares two states: what a batch finds with what it wants. Pure. What comes or goes with another reported thing (the
 * routes over an interface, everything in a namespace) is not reported separately.
 */
import { createHash } from 'node:crypto';
import { leadNexthop } from '../../../model/ids.ts';
import { isDaemonRoute } from '../../../vsys/daemon.ts';
import { type Difference, describeForward, describeRoute, routeName } from '../../../vsys/difference.ts';
import { tunnelKey } from './filter.ts';
import { describeLink } from './links.ts';
import { routeContent } from './plan-route.ts';
import { portState } from './ports.ts';
import { protocolName } from './protocols.ts';
import {
  isGroup,
  type KernelRoute,
  type KernelState,
  type KnownDaemon,
  type KnownMachine,
  kernelProtocol,
  type Link,
  type Nexthop,
  ownStack,
  type Stack,
  type TunnelFilter,
  type Way,
} from './state.ts';
import { tunnelOf } from './tunnels/registry.ts';

type Value = Difference['found'];

export function differencesOf(found: KernelState, wanted: KernelState): Difference[] {
  const both = [...wanted.stacks.keys()].filter((namespace) => found.stacks.has(namespace));
  return [
    ...compare('namespace', presence(found.stacks.keys()), presence(wanted.stacks.keys())),
    ...both.flatMap((namespace) => stackDifferences(namespace, found, wanted)),
    ...nexthopDifferences(found, wanted),
    ...compare('rule', presence(found.rules), presence(wanted.rules)),
    ...filterDifferences(found, wanted),
    ...forwardDifferences(found, wanted),
  ];
}

function stackDifferences(namespace: string, found: KernelState, wanted: KernelState): Difference[] {
  const [before, after] = [found.stacks.get(namespace)!, wanted.stacks.get(namespace)!];
  const differences = [
    ...linkDifferences(before, after),
    ...compare('setting', shared(before.settings, after.settings), shared(after.settings, before.settings)),
    ...routeDifferences(before, after, found, wanted),
    ...compare('daemon', daemonIn(found, namespace), daemonIn(wanted, namespace)),
    ...compare('machine', machineIn(found, namespace), machineIn(wanted, namespace)),
  ];
  return namespace === ownStack ? differences : differences.map((difference) => ({ ...difference, namespace }));
}

/** Reports a link of another kind or purpose as a whole; otherwise reports each property that differs. */
function linkDifferences({ links: before }: Stack, { links: after }: Stack): Difference[] {
  const differences = compare('interface', described(before, describeLink), described(after, describeLink));
  const same = [...before].filter(([name, link]) => {
    const other = after.get(name);
    return other !== undefined && describeLink(link) === describeLink(other);
  });
  const properties = same.flatMap(([name, link]) => {
    const wanted = propertiesOf(after.get(name)!);
    return propertiesOf(link).flatMap((property, index): Difference[] =>
      property === wanted[index] ? [] : [{ kind: 'interface', name, wanted: wanted[index]!, found: property }],
    );
  });
  return [...differences, ...properties];
}

function propertiesOf(link: Link): string[] {
  const { up, mtu, mac, multicast, hook, addresses, neighbours } = link;
  const list = (items: readonly string[]) => items.toSorted().join(', ') || 'none';
  return [
    up ? 'up' : 'down',
    `MTU ${mtu}`,
    `MAC address ${mac ?? 'none'}`,
    ...(tunnelOf(link)?.properties?.(link) ?? []),
    `multicast ${multicast ? 'on' : 'off'}`,
    hook ? 'can have a gate' : 'cannot have a gate',
    `address ${list(addresses.map(({ address, length }) => `${address}/${length}`))}`,
    `neighbour ${list(neighbours.map((neighbour) => `${neighbour.address} at ${neighbour.mac}`))}`,
  ];
}

function routeDifferences(before: Stack, after: Stack, found: KernelState, wanted: KernelState): Difference[] {
  const keys = new Set([...before.routes.keys(), ...after.routes.keys()]);
  return [...keys].flatMap((key): Difference[] => {
    const [is, must] = [before.routes.get(key), after.routes.get(key)];
    if (is === must || (is !== undefined && must !== undefined && routeContent(is) === routeContent(must))) return [];
    if (is === undefined && !stands(must!, before, found)) return [];
    if (must === undefined && !stands(is!, after, wanted)) return [];
    const value = (route: KernelRoute | undefined) => (route === undefined ? null : describeRoute(route));
    return [{ kind: 'route', name: routeName((is ?? must)!), wanted: value(must), found: value(is) }];
  });
}

/** Whether everything that an entry needs exists, so that a missing entry has another reason. */
function stands({ nexthops, nexthopId, protocol }: KernelRoute, { links }: Stack, state: KernelState): boolean {
  if (protocol === kernelProtocol || isDaemonRoute({ protocol: protocolName(protocol) })) return false;
  if (nexthopId !== undefined) return state.nexthops.has(nexthopId);
  return nexthops.every((hop) => links.has(hop.interface));
}

function nexthopDifferences(found: KernelState, wanted: KernelState): Difference[] {
  const standing = (nexthop: Nexthop, state: KernelState) =>
    (isGroup(nexthop) && nexthop.members.some((id) => state.nexthops.has(id))) ||
    state.stacks.get(ownStack)!.links.has((isGroup(nexthop) ? nexthop.lead : nexthop)?.interface ?? '');
  const told = (id: number) => {
    const [is, must] = [found.nexthops.get(id), wanted.nexthops.get(id)];
    if (is === undefined) return standing(must!, found);
    if (must !== undefined) return true;
    // A leftover lead nexthop is not reported separately from its group, which will use it as its lead.
    const led = wanted.nexthops.get(leadNexthop(id));
    return standing(is, wanted) && (led === undefined || !isGroup(led));
  };
  const names = ({ nexthops }: KernelState) =>
    new Map([...nexthops].map(([id, nexthop]) => [String(id), describeNexthop(nexthop)]));
  return compare('nexthop', names(found), names(wanted)).filter(({ name }) => told(Number(name)));
}

function describeNexthop(nexthop: Nexthop): string {
  if (!isGroup(nexthop)) return describeWay(nexthop);
  const { members, active, lead, resilient } = nexthop;
  const others = members.filter((id) => id !== active);
  const accepted = others.length === 0 ? '' : `, accepts ${others.join(', ')}`;
  const leads = lead === undefined ? 'leads by weight' : 'leads';
  return `${resilient ? 'resilient' : 'plain'} group, ${leads} ${active === undefined ? describeWay(lead!) : `to ${active}`}${accepted}`;
}

function describeWay({ via, interface: name }: Way): string {
  return `${via === undefined ? '' : `via ${via} `}over '${name}'`;
}

/** Returns the items that differ. */
function compare(
  kind: Difference['kind'],
  found: ReadonlyMap<string, Value>,
  wanted: ReadonlyMap<string, Value>,
): Difference[] {
  const names = new Set([...found.keys(), ...wanted.keys()]);
  return [...names].flatMap((name): Difference[] => {
    const [is, must] = [found.get(name) ?? null, wanted.get(name) ?? null];
    return is === must ? [] : [{ kind, name, wanted: must, found: is }];
  });
}

/** Reports only wrong rules if the filter has any; otherwise reports on the tunnels that stay. */
function filterDifferences(found: KernelState, wanted: KernelState): Difference[] {
  const [before, after] = [tunnelKeys(found), tunnelKeys(wanted)];
  if (found.filter === undefined || wanted.filter === undefined || !hasLinks(found)) return [];
  const [is, must] = [found.filter.table, wanted.filter.table];
  const value = (table: TunnelFilter['table']) => (table === 'none' ? null : table);
  if (is !== 'complete') return compare('filter', new Map([['rules', value(is)]]), new Map([['rules', value(must)]]));
  const staying = (filter: TunnelFilter) =>
    new Map([...filter.remotes].filter(([key]) => before.has(key) && after.has(key)).map(describeTunnel));
  return compare('filter', staying(found.filter), staying(wanted.filter));
}

function daemonIn({ daemons }: KernelState, namespace: string): Map<string, string> {
  const known = daemons?.get(namespace);
  return new Map(known === undefined ? [] : [['daemon', describeDaemon(known)]]);
}

/** Tells configurations apart without showing them. */
function describeDaemon({ daemon: { kind, protocols, config }, state }: KnownDaemon): string {
  const digest = createHash('sha256').update(config).digest('hex').slice(0, 8);
  const speaks = protocols.length === 0 ? '' : ` (${protocols.join(', ')})`;
  return `${kind}${speaks} with configuration ${digest}${state === 'failed' ? ', failed' : ''}`;
}

function machineIn({ machines, stacks }: KernelState, namespace: string): Map<string, string> {
  const known = machines?.get(namespace);
  const rules = stacks.get(namespace)?.portRules;
  return new Map(known === undefined ? [] : [['machine', describeMachine(known, rules)]]);
}

/** Tells configuration disks apart without showing them. */
function describeMachine({ machine, state }: KnownMachine, rules: readonly string[] | undefined): string {
  const { image, memoryMib, ...rest } = machine;
  const digest = createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 8);
  const what = `image ${image.slice(0, 8)} with ${memoryMib} MiB and configuration ${digest}`;
  return `${what}, ports ${portState(machine.ports, rules)}${state === 'failed' ? ', failed' : ''}`;
}

/** Those of an address come and go with it. */
function forwardDifferences(found: KernelState, wanted: KernelState): Difference[] {
  const staying = ({ forwards = new Map() }: KernelState, other: KernelState) => {
    const addresses = new Set(
      [...other.stacks.get(ownStack)!.links.values()].flatMap((link) => link.addresses.map(({ address }) => address)),
    );
    return described(new Map([...forwards].filter(([, { address }]) => addresses.has(address))), describeForward);
  };
  return compare('forward', staying(found, wanted), staying(wanted, found));
}

function hasLinks({ stacks }: KernelState): boolean {
  return [...stacks.values()].some(({ links }) => [...links.values()].some(({ kind }) => kind !== 'loopback'));
}

function tunnelKeys({ stacks }: KernelState): Set<string> {
  const links = [...stacks.values()].flatMap((stack) => [...stack.links.values()]);
  return new Set(links.flatMap(({ vxlan }) => (vxlan === undefined ? [] : [tunnelKey(vxlan)])));
}

function describeTunnel([key, addresses]: [string, ReadonlySet<string>]): [string, string] {
  const [port, vni] = key.split(' . ');
  return [`VNI ${vni} at port ${port}`, `from ${[...addresses].sort().join(', ') || 'nowhere'}`];
}

function presence(names: Iterable<string>): Map<string, string> {
  return new Map([...names].map((name) => [name, 'there']));
}

function described<T>(items: ReadonlyMap<string, T>, describe: (item: T) => string): Map<string, string> {
  return new Map([...items].map(([name, item]) => [name, describe(item)]));
}

/** Returns the settings that the other stack has too: those of an interface come and go with it. */
function shared(settings: Stack['settings'], other: Stack['settings']): Map<string, string> {
  return new Map([...settings].filter(([file]) => other.has(file)));
}
