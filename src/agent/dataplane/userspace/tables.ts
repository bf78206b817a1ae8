import { type Prefix, parseAddress, parsePrefix } from '../../../model/address.ts';
import type { Policy } from '../../../vsys/policy.ts';
import {
  isGroup,
  type KernelRoute,
  type KernelState,
  type Link,
  mainTable,
  ownStack,
  type Place,
  type UdpEnds,
} from '../planner/state.ts';
import type { Counters } from './counters.ts';
import { encodeTunnelHeader } from './header.ts';
import { preparePrefixTable } from './prefix-table.ts';
import { endsStep, type Steps } from './steps.ts';
import type { Switches } from './switches.ts';
import { createTargets } from './targets.ts';
import type { Port, ReversePathCheck, StackTables, Target, Tunnel } from './types.ts';

export interface Tables {
  readonly stacks: ReadonlyMap<string, StackTables>;
  readonly tunnels: ReadonlyMap<number, Port>;
  readonly own: StackTables;
  port(place: Place): Port | undefined;
}

/** The values of the switches that a state has. */
export function switchesOf(state: KernelState): Map<`group ${number}` | `gate ${string}`, number> {
  const values = new Map<`group ${number}` | `gate ${string}`, number>();
  for (const nexthop of state.nexthops.values()) {
    if (isGroup(nexthop)) values.set(`group ${nexthop.id}`, nexthop.active ?? nexthop.members[0] ?? 0);
  }
  for (const { name, gate } of state.stacks.get(ownStack)!.links.values()) {
    if (gate !== undefined) values.set(`gate ${name}`, gate.closed ? 1 : 0);
  }
  return values;
}

export interface TablesParts {
  readonly policy: Pick<Policy, 'table'>;
  /** With those of the state. */
  readonly switches: Pick<Switches, 'slotOf'>;
  readonly counters: Counters;
}

/** `before`: whose prefix tables are used again where they are the same. */
export function* prepareTables(state: KernelState, parts: TablesParts, before?: Tables): Steps<Tables> {
  const { policy, switches } = parts;
  const ports = new Map<string, Port>();
  const tunnels = new Map<number, Port>();
  const portAt = ({ namespace, name }: Place) => ports.get(`${namespace} ${name}`);
  const stacks = new Map<string, StackTables>();
  const fill: (() => Steps<void>)[] = [];

  for (const [namespace, { links, routes, settings }] of state.stacks) {
    const table = namespace === ownStack ? policy.table : mainTable;
    const isLed = namespace !== ownStack || state.rules.size > 0;
    const best = isLed ? yield* bestRoutes(routes.values(), table) : [];
    const { prefixes, parsed } = yield* prefixesFor(best, before?.stacks.get(namespace));
    const targets: Target[] = [];
    const stack: StackTables = {
      namespace,
      addresses: new Set(
        [...links.values()].flatMap((link) =>
          link.up ? link.addresses.map(({ address }) => parseAddress(address)) : [],
        ),
      ),
      prefixes,
      targets,
      routes: best,
      parsed,
    };
    stacks.set(namespace, stack);
    for (const link of links.values()) {
      const port = portOf(stack, { namespace, name: link.name }, link, settings, state, parts);
      ports.set(`${namespace} ${link.name}`, port);
      if (link.udp !== undefined) tunnels.set(link.udp.vni, port);
    }
    fill.push(function* () {
      for (const route of best) {
        targets.push(targetOf(route, namespace));
        if (endsStep(targets.length)) yield;
      }
    });
  }
  for (const port of ports.values()) {
    const peer = port.link.peer === undefined ? undefined : portAt(port.link.peer);
    if (peer !== undefined) port.peer = peer;
  }

  const targetOf = createTargets(state, switches, portAt);
  for (const each of fill) yield* each();
  return { stacks, tunnels, own: stacks.get(ownStack)!, port: portAt };
}

/** Of the routes of a table the one with the smallest metric for each prefix. */
function* bestRoutes(routes: Iterable<KernelRoute>, table: number): Steps<KernelRoute[]> {
  const best = new Map<string, KernelRoute>();
  let seen = 0;
  for (const route of routes) {
    seen += 1;
    if (endsStep(seen)) yield;
    if (route.table !== table) continue;
    const other = best.get(route.prefix);
    if (other === undefined || (route.metric ?? 0) < (other.metric ?? 0)) best.set(route.prefix, route);
  }
  return [...best.values()];
}

/** Positions are those of the routes. What was parsed before is not parsed again. */
function* prefixesFor(
  routes: readonly KernelRoute[],
  before: StackTables | undefined,
): Steps<Pick<StackTables, 'prefixes' | 'parsed'>> {
  const isSame =
    before !== undefined &&
    before.routes.length === routes.length &&
    routes.every((route, index) => route.prefix === before.routes[index]!.prefix);
  if (isSame) return before;
  const known = new Map<string, Prefix>();
  for (const [index, { prefix }] of (before?.routes ?? []).entries()) {
    known.set(prefix, before!.parsed[index]!);
    if (endsStep(known.size)) yield;
  }
  const parsed: Prefix[] = [];
  for (const { prefix } of routes) {
    parsed.push(known.get(prefix) ?? parsePrefix(prefix));
    if (endsStep(parsed.length)) yield;
  }
  return { prefixes: yield* preparePrefixTable(parsed), parsed };
}

function portOf(
  stack: StackTables,
  place: Place,
  link: Link,
  settings: ReadonlyMap<string, string>,
  state: KernelState,
  { switches, counters }: TablesParts,
): Port {
  const first = link.addresses[0]?.address;
  const gate = link.redirect === undefined ? undefined : state.stacks.get(ownStack)!.links.get(link.redirect)?.gate;
  return {
    stack,
    place,
    link,
    traffic: counters.of(place),
    address: first === undefined ? 0 : parseAddress(first),
    check: checkOf(settings, link.name),
    ...(link.udp === undefined ? {} : { tunnel: tunnelOf(link.udp) }),
    ...(gate === undefined
      ? {}
      : { gate: { slot: switches.slotOf(`gate ${link.redirect!}`)!, limitBytes: gate.limitBytes } }),
  };
}

function tunnelOf(ends: UdpEnds): Tunnel {
  const { remote, port, alsoFrom } = ends;
  return { header: encodeTunnelHeader(ends), remote, port, alsoFrom };
}

/**
 * The planner states the modes as Linux does: the larger of the values of `all` and of the interface counts; 1 strict,
 * 2 loose.
 */
function checkOf(settings: ReadonlyMap<string, string>, name: string): ReversePathCheck {
  const value = (place: string) => Number(settings.get(`ipv4/conf/${place}/rp_filter`) ?? 0);
  const mode = Math.max(value('all'), value(name));
  return mode === 0 ? 'none' : mode === 1 ? 'strict' : 'loose';
}
