/** The state in the protocol's format, in an order that does not depend on when things were made. */
import { createHash } from 'node:crypto';
import { packRoutes } from '../../../model/packed-routes.ts';
import type { Route } from '../../../model/route.ts';
import type { DaemonReport } from '../../../vsys/daemon.ts';
import type { MachineReport } from '../../../vsys/machine.ts';
import type { ControlReport, InterfaceState, Inventory, NexthopState } from '../../../vsys/messages.ts';
import type { Table } from '../dataplane.ts';
import { gatedBy } from './gate.ts';
import { portState } from './ports.ts';
import { protocolName } from './protocols.ts';
import {
  isGroup,
  type KernelRoute,
  type KernelState,
  type KnownDaemon,
  type Link,
  type Nexthop,
  ownStack,
  type Stack,
} from './state.ts';

export function toInventory({
  stacks,
  nexthops,
  rules,
  forwards = new Map(),
  daemons = new Map(),
  machines = new Map(),
}: KernelState): Inventory {
  const namespaces = [...stacks.keys()].filter((namespace) => namespace !== ownStack).sort();
  const control = namespaces.flatMap((namespace) => toControl(namespace, stacks.get(namespace)!));
  const all = [ownStack, ...namespaces].map((namespace) => ({ namespace, stack: stacks.get(namespace)! }));
  return {
    namespaces,
    interfaces: all.flatMap(({ namespace, stack }) =>
      sorted(stack.links.values(), ({ name }) => name)
        .filter(({ kind }) => kind !== 'loopback')
        .map((link) => ({ ...named(namespace), ...toInterface(link) })),
    ),
    routes: all.flatMap(({ namespace, stack }) =>
      toRoutes(stack.routes.values()).map((route) => ({ ...named(namespace), ...route })),
    ),
    nexthops: [...nexthops.values()].sort((a, b) => a.id - b.id).map(toNexthop),
    rules: rules.size === 2,
    ...(forwards.size === 0 ? {} : { forwards: sorted(forwards.entries(), ([key]) => key).map(([, side]) => side) }),
    ...(daemons.size === 0 ? {} : { daemons: toReports(daemons) }),
    ...(machines.size === 0 ? {} : { machines: toMachineReports(machines, stacks) }),
    ...(control.length === 0 ? {} : { control }),
  };
}

function toControl(namespace: string, { control, controlCounts, links }: Stack): ControlReport[] {
  if (control === undefined) return [];
  const { tunnels, sendTo, gated } = control;
  const { sent = 0, held = new Map<string, number>(), dropped = 0 } = controlCounts ?? {};
  const isClosed = [...links.values()].some(({ gate }) => gate?.closed);
  return [
    {
      namespace,
      tunnels,
      ...(sendTo === undefined ? {} : { sendTo }),
      gate: gated ? (isClosed ? 'closed' : 'open') : 'none',
      sent,
      held: [...held.values()].reduce((sum, packets) => sum + packets, 0),
      dropped,
    },
  ];
}

function toReports(daemons: ReadonlyMap<string, KnownDaemon>): DaemonReport[] {
  return sorted(daemons.entries(), ([namespace]) => namespace).map(([namespace, { daemon: _, ...report }]) => ({
    namespace,
    ...report,
  }));
}

function toMachineReports(
  machines: NonNullable<KernelState['machines']>,
  stacks: KernelState['stacks'],
): MachineReport[] {
  return sorted(machines.entries(), ([namespace]) => namespace).map(([namespace, { machine, ...report }]) => ({
    namespace,
    ...report,
    image: machine.image,
    memoryMib: machine.memoryMib,
    ports: portState(machine.ports, stacks.get(namespace)?.portRules),
  }));
}

/** A table of a data plane that keeps its routes itself. */
export function tableOf(routes: Iterable<KernelRoute>, known?: string): Table {
  const all = toRoutes(routes);
  const digest = createHash('sha256').update(JSON.stringify(all)).digest('hex');
  return digest === known ? { digest } : { digest, packed: packRoutes(all) };
}

export function toRoutes(routes: Iterable<KernelRoute>): Route[] {
  return inOrder(
    [...routes].map(({ table: _table, onlink: _onlink, protocol, ...route }) => ({
      ...route,
      protocol: protocolName(protocol),
    })),
  );
}

/** Several for one prefix and metric stay in their order: the kernel uses the first. */
export function inOrder(routes: readonly Route[]): Route[] {
  return sorted(routes, ({ prefix, metric = 0 }) => `${prefix} ${metric}`);
}

function toInterface({ name, kind, up, mtu, mac, vxlan, udp, addresses, peer, gate }: Link): InterfaceState {
  const gated = kind === 'ifb' ? gatedBy(name) : undefined;
  return {
    name,
    kind,
    up,
    mtu,
    ...(mac === undefined ? {} : { mac }),
    ...vxlan,
    ...(udp === undefined ? {} : { vni: udp.vni, remote: udp.remote, port: udp.port }),
    addresses: addresses.map(({ address, length }) => `${address}/${length}`),
    ...(peer === undefined ? {} : { peer: { name: peer.name, ...named(peer.namespace) } }),
    ...(gated === undefined ? {} : { gate: { interface: gated, closed: gate?.closed ?? false } }),
  };
}

function toNexthop(nexthop: Nexthop): NexthopState {
  if (isGroup(nexthop)) {
    const { id, members: group, active, resilient } = nexthop;
    return { id, group, ...(active === undefined ? {} : { active }), resilient };
  }
  const { id, via, interface: name } = nexthop;
  return { id, ...(via === undefined ? {} : { via }), interface: name };
}

function named(namespace: string): { namespace?: string } {
  return namespace === ownStack ? {} : { namespace };
}

function sorted<T>(items: Iterable<T>, by: (item: T) => string): T[] {
  return [...items]
    .map((item) => [by(item), item] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, item]) => item);
}
