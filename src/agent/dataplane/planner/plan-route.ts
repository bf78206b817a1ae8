import { daemonProtocolNumber } from '../../../model/daemon.ts';
import { VnmError } from '../../../model/errors.ts';
import { isDaemonRoute } from '../../../vsys/daemon.ts';
import { prefixesOf } from '../../../vsys/operations.ts';
import type { Draft } from './draft.ts';
import { checkLimit, conflict, type Named, requireLink, requireStack } from './plan-common.ts';
import { protocolName } from './protocols.ts';
import {
  describeStack,
  fixtureProtocol,
  type KernelRoute,
  mainTable,
  ownStack,
  type RuleDirection,
  rejectMetric,
  routeKey,
  routeProtocol,
} from './state.ts';

const directions: readonly RuleDirection[] = ['from', 'to'];

export function vroute(draft: Draft, operation: Named<'vroute'> | Named<'vroutes'>): void {
  const namespace = operation.namespace ?? ownStack;
  const prefixes = prefixesOf(operation);
  const common = commonOf(draft, operation);
  if (operation.action === 'delete') {
    for (const prefix of prefixes) deleteRoute(draft, namespace, routeKey({ prefix, ...common }));
    return;
  }
  checkRoute(draft, operation, prefixes[0]!);
  const left = prefixes.length < many ? prefixes : addMissing(draft, namespace, prefixes, common);
  for (const prefix of left) putRoute(draft, namespace, { prefix, ...common });
}

/** So many new entries are one command. */
const many = 500;

/** Adds those of which none has the prefix and metric, if they are many. Returns the other prefixes. */
function addMissing(
  draft: Draft,
  namespace: string,
  prefixes: readonly string[],
  common: Omit<KernelRoute, 'prefix'>,
): readonly string[] {
  const { routes } = requireStack(draft, namespace);
  const added = new Map<string, KernelRoute>();
  const left: string[] = [];
  for (const prefix of prefixes) {
    const wanted = { prefix, ...common };
    const key = routeKey(wanted);
    if (routes.has(key) || added.has(key)) left.push(prefix);
    else added.set(key, wanted);
  }
  if (added.size < many) return prefixes;
  checkLimit(draft, 'routes', countRoutes(draft) + added.size - 1);
  draft.addRoutes(namespace, added);
  return left;
}

function deleteRoute(draft: Draft, namespace: string, key: string): void {
  const existing = draft.stacks.get(namespace)?.routes.get(key);
  if (existing === undefined) return;
  checkNoFixture(existing, namespace);
  draft.removeRoute(namespace, key, existing);
}

/**
 * Adds or replaces the entry, unless one with the same content exists, whoever made it; a copy of a daemon's entry must
 * be the daemon's.
 */
export function putRoute(draft: Draft, namespace: string, wanted: KernelRoute): void {
  const existing = requireStack(draft, namespace).routes.get(routeKey(wanted));
  if (existing === undefined) {
    checkLimit(draft, 'routes', countRoutes(draft));
    draft.addRoute(namespace, wanted);
  } else if (routeContent(existing) !== routeContent(wanted) || isOthers(existing, wanted)) {
    if (!draft.repair) checkNoFixture(existing, namespace);
    draft.replaceRoute(namespace, existing, wanted);
  }
}

function isOthers(existing: KernelRoute, { protocol }: KernelRoute): boolean {
  return existing.protocol !== protocol && isDaemonRoute({ protocol: protocolName(protocol) });
}

/**
 * Adds the rules, after the table's last entry: without that, packets that the table does not match would continue to
 * the node's own routes.
 */
export function ruleUp(draft: Draft): void {
  putRoute(draft, ownStack, rejectRoute(draft));
  for (const direction of directions) if (!draft.rules.has(direction)) draft.addRule(direction);
}

export function ruleDown(draft: Draft): void {
  for (const direction of directions) if (draft.rules.has(direction)) draft.removeRule(direction);
  const key = routeKey(rejectRoute(draft));
  const existing = draft.stacks.get(ownStack)!.routes.get(key);
  if (existing !== undefined) draft.removeRoute(ownStack, key, existing);
}

function rejectRoute(draft: Draft): KernelRoute {
  return {
    prefix: '0.0.0.0/0',
    type: 'unreachable',
    nexthops: [],
    metric: rejectMetric,
    protocol: fixtureProtocol,
    table: tableOf(draft, ownStack),
    onlink: false,
  };
}

/** Returns the table for a stack's entries: the main table of a router, the slice's table in the node's own stack. */
export function tableOf(draft: Draft, namespace: string): number {
  return namespace === ownStack ? draft.policy.table : mainTable;
}

/** What the entries of an operation have in common. */
function commonOf(draft: Draft, operation: Named<'vroute'> | Named<'vroutes'>): Omit<KernelRoute, 'prefix'> {
  const { namespace = ownStack, type, nexthops, nexthopId, metric, source, protocol } = operation;
  return {
    type,
    nexthops: nexthops.map((hop) => ({
      interface: hop.interface,
      ...(hop.via === undefined ? {} : { via: hop.via }),
      weight: nexthops.length > 1 ? hop.weight : 1,
    })),
    ...(nexthopId === undefined ? {} : { nexthopId }),
    ...(metric === undefined || metric === 0 ? {} : { metric }),
    ...(source === undefined ? {} : { source }),
    protocol: protocol === undefined ? routeProtocol : daemonProtocolNumber(protocol),
    table: tableOf(draft, namespace),
    // The neighbour of an interface is on its link by definition (`vif_up`). With this flag the order of commands does
    // not matter to the kernel.
    onlink: nexthops.some(({ via }) => via !== undefined),
  };
}

/** Throws if the kernel would refuse the route or understand it differently. */
function checkRoute(draft: Draft, operation: Named<'vroute'> | Named<'vroutes'>, prefix: string): void {
  const { namespace = ownStack, type, nexthops, nexthopId, protocol } = operation;
  const invalid = (what: string) =>
    new VnmError('invalid-input', `route to ${prefix}${describeStack(namespace)}: ${what}`);
  const ways = Number(nexthops.length > 0) + Number(nexthopId !== undefined);
  if (type === 'unicast' && ways !== 1) throw invalid('give either next hops or a nexthop id');
  if (type !== 'unicast' && ways !== 0) throw invalid(`a ${type} route has no next hop`);
  if (nexthopId !== undefined && namespace !== ownStack) throw invalid('routers have no nexthop ids');
  if (nexthopId !== undefined && !draft.nexthops.has(nexthopId)) {
    throw new VnmError('not-found', `there is no nexthop ${nexthopId}`, {
      hint: 'create it with nexthop_up or group_up',
    });
  }
  if (protocol !== undefined && namespace === ownStack) throw invalid('only routers have routing daemons');
  for (const { interface: name } of nexthops) requireLink(draft, { namespace, name });
}

/** Returns what decides where packets go, for comparison. */
export function routeContent({ type, nexthops, nexthopId, source }: KernelRoute): string {
  return JSON.stringify([type, nexthops.map((hop) => [hop.interface, hop.via, hop.weight]), nexthopId, source]);
}

function checkNoFixture({ protocol, prefix, nexthops }: KernelRoute, namespace: string): void {
  if (protocol !== fixtureProtocol) return;
  const owner = nexthops[0] === undefined ? 'the rules' : `interface '${nexthops[0].interface}'`;
  throw conflict(`the route to ${prefix}${describeStack(namespace)} belongs to ${owner}`);
}

function countRoutes(draft: Draft): number {
  let sum = 0;
  for (const { routes } of draft.stacks.values()) sum += routes.size;
  return sum;
}
