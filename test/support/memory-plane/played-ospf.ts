/**
 * Routing daemons of a network in memory, as simple as can be: whenever something changed, every running daemon has a
 * route to each end host that some daemon's configuration has a static route to, over the fewest links between daemons.
 * They withdraw nothing: neighbours of one that restarts wait for it.
 */
import { type KernelRoute, type KernelState, mainTable, routeKey } from '../../../src/agent/dataplane/planner/state.ts';
import type { DaemonState } from '../../../src/vsys/daemon.ts';
import { type At, type Host, type Network, otherEnd } from './network.ts';

export const birdProtocol = 12;
const metric = 32;

interface Way {
  readonly at: At;
  /** The first link; absent for the router itself. */
  readonly first?: { readonly interface: string; readonly via: string };
}

/** Gives all daemons their routes. */
export function converge(network: Network): void {
  for (const host of new Set(network.values()))
    for (const namespace of host.state.daemons?.keys() ?? []) putRoutes(network, host, namespace);
}

/** The daemons at the other ends of a daemon's links. */
export function stateOf(network: Network, at: At): DaemonState {
  const adjacencies = neighboursOf(network, at).map(({ at: there, first }) => ({
    protocol: 'ospf' as const,
    neighbour: /^router id (\S+);$/m.exec(configOf(there))![1]!,
    address: first!.via,
    interface: first!.interface,
    state: 'Full/PtP',
    isUp: true,
  }));
  return { adjacencies, routes: {} };
}

function putRoutes(network: Network, host: Host, namespace: string): void {
  const seen: Way[] = [{ at: { host, namespace } }];
  for (const way of seen) {
    for (const next of neighboursOf(network, way.at)) {
      if (seen.some(({ at }) => at.host === next.at.host && at.namespace === next.at.namespace)) continue;
      seen.push({ at: next.at, first: way.first ?? next.first! });
    }
  }
  const stack = host.state.stacks.get(namespace)!;
  const routes = new Map(stack.routes);
  for (const { at, first } of seen) {
    for (const [, prefix = '', via = ''] of configOf(at).matchAll(/^ {2}route (\S+) via (\S+);$/gm)) {
      const nexthop = first ?? { interface: interfaceTo(at, via), via };
      const route: KernelRoute = {
        prefix,
        type: 'unicast',
        nexthops: [{ ...nexthop, weight: 1 }],
        metric,
        protocol: birdProtocol,
        table: mainTable,
        onlink: false,
      };
      routes.set(routeKey(route), route);
    }
  }
  const state: KernelState = host.state;
  host.state = { ...state, stacks: new Map(state.stacks).set(namespace, { ...stack, routes }) };
}

function neighboursOf(network: Network, { host, namespace }: At): Way[] {
  const { links } = host.state.stacks.get(namespace)!;
  return [...links.values()].flatMap((link): Way[] => {
    const there = otherEnd(network, host, link);
    const via = link.neighbours[0]?.address;
    if (there === undefined || via === undefined || !there.host.state.daemons?.has(there.namespace)) return [];
    return [{ at: there, first: { interface: link.name, via } }];
  });
}

function interfaceTo({ host, namespace }: At, via: string): string {
  const links = [...host.state.stacks.get(namespace)!.links.values()];
  return links.find(({ neighbours }) => neighbours.some(({ address }) => address === via))!.name;
}

function configOf({ host, namespace }: At): string {
  return host.state.daemons!.get(namespace)!.daemon.config;
}
