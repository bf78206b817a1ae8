/** What a slice needs of a node, to compare with the limits of a policy before anything is created. */

import type { Limits } from './limits.ts';
import type { NodeName, RouterName } from './names.ts';
import { isDaemonRouter, routerNames } from './router.ts';
import type { Placement, Slice, VirtualNetwork } from './slice.ts';

/** The limits that depend on the VN itself, not on its use. */
export type DemandKind = 'namespaces' | 'tunnels' | 'routes' | 'daemons';
export type Demand = Readonly<Record<DemandKind, number>>;

const demandKinds: readonly DemandKind[] = ['namespaces', 'tunnels', 'routes', 'daemons'];

/** The parts of a VN that its demand depends on. */
export type VnShape = Pick<VirtualNetwork, 'routers' | 'links' | 'gateways' | 'endHosts'>;

const none: Demand = { namespaces: 0, tunnels: 0, routes: 0, daemons: 0 };

export function addDemand(...demands: readonly Demand[]): Demand {
  const sum = (kind: DemandKind) => demands.reduce((total, demand) => total + demand[kind], 0);
  return {
    namespaces: sum('namespaces'),
    tunnels: sum('tunnels'),
    routes: sum('routes'),
    daemons: sum('daemons'),
  };
}

/** The demand of one instance: its routers on the node with their tunnels and routes, and the node's gateway links. */
export function instanceDemand(vn: VnShape, placement: Placement, node: NodeName): Demand {
  const ends = [
    ...vn.links.map(({ from, to }) => [placement.get(from), placement.get(to)]),
    ...vn.gateways.map((gateway) => [gateway.node, placement.get(gateway.router)]),
  ];
  const here = routerNames(vn).filter((router) => placement.get(router) === node);
  const isHere = new Set(here);
  const count = (routers: readonly RouterName[]) => routers.filter((router) => isHere.has(router)).length;
  // Each end of a link on the node already has a route to its neighbour.
  const linkEnds =
    count(vn.links.flatMap(({ from, to }) => [from, to])) + count(vn.gateways.map(({ router }) => router));
  const gateways = vn.gateways.filter((gateway) => gateway.node === node).length;
  return {
    namespaces: here.length,
    tunnels: ends.filter((pair) => pair.includes(node)).length,
    // Each router has routes to all end hosts, and to both ends of every link that is not its own.
    routes: here.length * (vn.endHosts.length + 2 * ends.length) - linkEnds + 2 * gateways,
    daemons: vn.routers.filter((router) => isDaemonRouter(router) && isHere.has(router.name)).length,
  };
}

/** The demand of what outlives instances: access links, and the routes of gateways and end hosts. */
export function accessDemand(vn: VnShape, node: NodeName): Demand {
  const isHere = new Set(vn.gateways.filter((gateway) => gateway.node === node).map(({ name }) => name));
  const behind = vn.endHosts.filter(({ gateway }) => isHere.has(gateway)).length;
  const hosts = vn.endHosts.filter((endHost) => endHost.node === node).length;
  const isEdge = isHere.size + hosts > 0;
  return {
    namespaces: 0,
    tunnels: behind + hosts,
    routes: (isEdge ? 1 : 0) + isHere.size * (vn.endHosts.length - behind) + behind + hosts * (vn.endHosts.length + 1),
    daemons: 0,
  };
}

/** The demand while all VNs migrate: two instances of every VN, on the two placements that need the most. */
export function largestDemand({ vns }: Pick<Slice, 'vns'>, node: NodeName): Demand {
  return addDemand(
    none,
    ...vns.map((vn) => {
      const placed = [...vn.placements.values()].map((placement) => instanceDemand(vn, placement, node));
      const twoLargest = (kind: DemandKind) =>
        placed
          .map((demand) => demand[kind])
          .sort((a, b) => b - a)
          .slice(0, 2)
          .reduce((sum, value) => sum + value, 0);
      const { tunnels, routes } = accessDemand(vn, node);
      return {
        namespaces: twoLargest('namespaces'),
        tunnels: tunnels + twoLargest('tunnels'),
        routes: routes + twoLargest('routes'),
        daemons: twoLargest('daemons'),
      };
    }),
  );
}

/** The kinds of demand that exceed the limits. */
export function exceeded(demand: Demand, limits: Limits): { kind: DemandKind; needed: number; limit: number }[] {
  return demandKinds.flatMap((kind) =>
    demand[kind] > limits[kind] ? [{ kind, needed: demand[kind], limit: limits[kind] }] : [],
  );
}
