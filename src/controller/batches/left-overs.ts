/** Finds the parts of a slice on a node that nothing in the database needs. Pure. */
import type { NamespaceName } from '../../model/names.ts';
import { type DaemonReport, isDaemonRoute } from '../../vsys/daemon.ts';
import { type Difference, describeRoute, routeName } from '../../vsys/difference.ts';
import type { ControlReport, InterfaceState, Inventory } from '../../vsys/messages.ts';
import {
  type ForwardSide,
  interfaceName,
  namespaceName,
  type OperationInput,
  prefixesOf,
} from '../../vsys/operations.ts';
import { forwardDown } from './forwards.ts';

export interface LeftOvers {
  /** Removes what has the slice's mark and belongs to nothing; removes users before what they use. */
  readonly removal: OperationInput[];
  /**
   * What stays: forwarding entries that others made, and what cannot be removed without something that is not the
   * slice's.
   */
  readonly additional: Difference[];
}

type NodeRoute = Inventory['routes'][number];

/**
 * Kernel protocols of the routes that agents add for `vroute`, and of those that belong to an interface or to the
 * rules.
 */
const ownProtocol = '246';
const fixtureProtocol = '245';

/** `needed`: the node's batch for everything that is recorded of the slice. */
export function leftOvers(inventory: Inventory, needed: readonly OperationInput[], interfacePrefix: string): LeftOvers {
  const names = namesIn(needed);
  const isOurs = (one: InterfaceState) => one.name.startsWith(interfacePrefix) && isRemovable(one);
  const [namespaces, foreignNamespaces] = partition(
    inventory.namespaces.filter((name) => !names.namespaces.has(name)),
    (name) =>
      namespaceName.safeParse(name).success &&
      inventory.interfaces.filter(({ namespace }) => namespace === name).every(isOurs),
  );
  const [interfaces, foreignInterfaces] = partition(
    inventory.interfaces.filter((one) => one.gate === undefined && isStray(one, names, interfacePrefix)),
    isRemovable,
  );
  // Those in a namespace that goes are ended with it.
  const daemons = (inventory.daemons ?? []).filter(
    ({ namespace }) => names.namespaces.has(namespace) && !names.daemons.has(namespace),
  );
  const machines = (inventory.machines ?? []).filter(
    ({ namespace }) => names.namespaces.has(namespace) && !names.machines.has(namespace),
  );
  const strayRoutes = unneededRoutes(inventory, names).filter(
    ({ namespace, nexthops }) =>
      !nexthops.some((hop) => interfaces.some((one) => one.name === hop.interface && one.namespace === namespace)),
  );
  const [routes, foreignRoutes] = partition(
    strayRoutes,
    ({ namespace, protocol }) => namespace === undefined && protocol === ownProtocol,
  );
  return {
    removal: [
      ...(inventory.forwards ?? []).filter((side) => !names.forwards.has(forwardName(side))).map(forwardDown),
      ...inventory.interfaces.flatMap(({ gate }) => (gate === undefined ? [] : [gateDown(gate.interface)])),
      ...routes.map(deleteRoute),
      ...nexthopsDown(inventory.nexthops.filter(({ id }) => !names.nexthops.has(id))),
      ...daemons.map(daemonDown),
      ...machines.map(({ namespace }) => ({ op: 'machine_down' as const, namespace })),
      ...(inventory.control ?? []).filter(({ namespace }) => names.namespaces.has(namespace)).map(controlDown),
      ...interfaces.map(tunnelDown),
      ...namespaces.map((namespace): OperationInput => ({ op: 'netns_down', namespace })),
      ...(names.hasRules || !hasRules(inventory) ? [] : [{ op: 'rule_down' } as const]),
    ],
    additional: [
      ...foreignNamespaces.map((name) => additionalTo({ kind: 'namespace', name, found: 'with interfaces of others' })),
      ...foreignInterfaces.map(({ name, namespace, kind }) =>
        additionalTo({ kind: 'interface', name, found: kind === '' ? 'hardware' : `a ${kind}` }, namespace),
      ),
      ...foreignRoutes.map((route) =>
        additionalTo({ kind: 'route', name: routeName(route), found: describeRoute(route) }, route.namespace),
      ),
    ],
  };
}

/**
 * The leftovers that concern one batch: gates at its interfaces; daemons, what leads their packets elsewhere, and what
 * else is in its namespaces.
 */
export function leftOversOf({ removal, additional }: LeftOvers, batch: readonly OperationInput[]): LeftOvers {
  const { interfaces, namespaces } = namesIn(batch);
  return {
    removal: removal.filter(
      (one) =>
        (one.op === 'gate_down' && interfaces.has(keyOf(one.interface))) ||
        ((one.op === 'daemon_down' || one.op === 'machine_down' || one.op === 'control_down') &&
          namespaces.has(one.namespace)),
    ),
    additional: additional.filter(({ namespace }) => namespace !== undefined && namespaces.has(namespace)),
  };
}

/** The names in operations; interfaces and routes with their namespaces. */
interface Names {
  readonly namespaces: Set<string>;
  readonly interfaces: Set<string>;
  readonly routes: Set<string>;
  readonly nexthops: Set<number>;
  readonly forwards: Set<string>;
  /** The namespaces that have one. */
  readonly daemons: Set<string>;
  /** The namespaces that have one. */
  readonly machines: Set<string>;
  readonly hasRules: boolean;
}

function namesIn(operations: readonly OperationInput[]): Names {
  const names = {
    namespaces: new Set<string>(),
    interfaces: new Set<string>(),
    routes: new Set<string>(),
    nexthops: new Set<number>(),
    forwards: new Set<string>(),
    daemons: new Set<string>(),
    machines: new Set<string>(),
    hasRules: false,
  };
  for (const operation of operations) {
    switch (operation.op) {
      case 'netns_up':
        names.namespaces.add(operation.namespace);
        break;
      case 'tunnel_up':
        names.interfaces.add(keyOf(operation.interface, operation.namespace));
        if ('peer' in operation) names.interfaces.add(keyOf(operation.peer.interface, operation.peer.namespace));
        break;
      case 'vif_up':
        names.routes.add(keyOf(`${operation.peer.address}/32`, operation.namespace));
        break;
      case 'vroute':
        names.routes.add(keyOf(routeName(operation), operation.namespace));
        break;
      case 'vroutes':
        for (const prefix of prefixesOf(operation))
          names.routes.add(keyOf(routeName({ ...operation, prefix }), operation.namespace));
        break;
      case 'nexthop_up':
      case 'group_up':
        names.nexthops.add(operation.id);
        break;
      case 'forward_up':
        names.forwards.add(forwardName(operation));
        break;
      case 'daemon_up':
        names.daemons.add(operation.namespace);
        break;
      case 'machine_up':
        names.machines.add(operation.namespace);
        break;
      case 'rule_up':
        names.hasRules = true;
    }
  }
  return names;
}

/**
 * Whether the interface has the slice's prefix and is not needed, in the node's own stack or in a namespace that stays.
 */
function isStray({ name, namespace }: InterfaceState, names: Names, prefix: string): boolean {
  if (!name.startsWith(prefix) || names.interfaces.has(keyOf(name, namespace))) return false;
  return namespace === undefined || names.namespaces.has(namespace);
}

/**
 * The routes that are not needed. If several have the same prefix, the kernel uses the first. Its own routes do not
 * count, and neither do those of a routing daemon.
 */
function unneededRoutes({ routes, daemons = [] }: Inventory, names: Names): NodeRoute[] {
  const withDaemon = new Set([...names.daemons, ...daemons.map(({ namespace }) => namespace)]);
  const seen = new Set<string>();
  return routes.filter((route) => {
    const { namespace, protocol } = route;
    if (namespace !== undefined && !names.namespaces.has(namespace)) return false;
    if (protocol === 'kernel' || protocol === fixtureProtocol) return false;
    if (namespace !== undefined && withDaemon.has(namespace) && isDaemonRoute(route)) return false;
    const key = keyOf(routeName(route), namespace);
    const isFirst = !seen.has(key);
    seen.add(key);
    return !isFirst || !names.routes.has(key);
  });
}

/** Whether the node has the slice's rules, or the route that belongs to them. */
function hasRules({ rules, routes }: Inventory): boolean {
  return (
    rules ||
    routes.some(
      ({ namespace, prefix, protocol }) =>
        namespace === undefined && prefix === '0.0.0.0/0' && protocol === fixtureProtocol,
    )
  );
}

/**
 * Whether it may be removed: not hardware, nor a pair whose other end is not visible, nor a name that the protocol
 * cannot express.
 */
function isRemovable({ name, kind, peer }: InterfaceState): boolean {
  return kind !== '' && (kind !== 'veth' || peer !== undefined) && interfaceName.safeParse(name).success;
}

function gateDown(name: string): OperationInput {
  return { op: 'gate_down', interface: name };
}

function daemonDown({ namespace }: DaemonReport): OperationInput {
  return { op: 'daemon_down', namespace };
}

function controlDown({ namespace }: ControlReport): OperationInput {
  return { op: 'control_down', namespace };
}

function tunnelDown({ name, namespace }: InterfaceState): OperationInput {
  return { op: 'tunnel_down', interface: name, ...(namespace === undefined ? {} : { namespace }) };
}

function deleteRoute({ prefix, metric }: NodeRoute): OperationInput {
  return { op: 'vroute', action: 'delete', prefix, ...(metric === undefined ? {} : { metric }) };
}

/** Groups first: they use the others. */
function nexthopsDown(nexthops: Inventory['nexthops']): OperationInput[] {
  const [groups, singles] = partition(nexthops, ({ group }) => group !== undefined);
  return [
    ...groups.map(({ id }): OperationInput => ({ op: 'group_down', id })),
    ...singles.map(({ id }): OperationInput => ({ op: 'nexthop_down', id })),
  ];
}

function additionalTo(one: Pick<Difference, 'kind' | 'name' | 'found'>, namespace?: NamespaceName): Difference {
  return { ...one, ...(namespace === undefined ? {} : { namespace }), wanted: null };
}

/** A forward's side by where it receives. */
function forwardName(side: ForwardSide): string {
  return side.side === 'listen' ? `${side.localPort}` : `${side.address}:${side.port}`;
}

function keyOf(name: string, namespace = ''): string {
  return `${namespace} ${name}`;
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
