/** What a slice needs of a node, to compare with the limits of a policy before anything is created. */

import type { Limits } from './limits.ts';
import type { NodeName, RouterName } from './names.ts';
import { onceFor } from './once.ts';
import { imageRouter, isImageRouter, programOf } from './router.ts';
import type { Placement, Slice, VirtualNetwork } from './slice.ts';

/** The limits that depend on the VN itself, not on its use. */
export type DemandKind = 'namespaces' | 'tunnels' | 'routes' | 'daemons' | 'machines' | 'machineMib';
export type Demand = Readonly<Record<DemandKind, number>>;

const demandKinds: readonly DemandKind[] = ['namespaces', 'tunnels', 'routes', 'daemons', 'machines', 'machineMib'];

/** The parts of a VN that its demand depends on. */
export type VnShape = Pick<VirtualNetwork, 'routers' | 'links' | 'gateways' | 'endHosts'>;

const none: Demand = { namespaces: 0, tunnels: 0, routes: 0, daemons: 0, machines: 0, machineMib: 0 };

export function addDemand(...demands: readonly Demand[]): Demand {
  const sum = (kind: DemandKind) => demands.reduce((total, demand) => total + demand[kind], 0);
  return {
    namespaces: sum('namespaces'),
    tunnels: sum('tunnels'),
    routes: sum('routes'),
    daemons: sum('daemons'),
    machines: sum('machines'),
    machineMib: sum('machineMib'),
  };
}

/** The demand of one instance: its routers on the node with their tunnels and routes, and the node's gateway links. */
export function instanceDemand(vn: VnShape, placement: Placement, node: NodeName): Demand {
  return instanceDemands(vn)(placement).get(node) ?? none;
}

const instanceDemands = onceFor((vn: VnShape) => onceFor((placement: Placement) => countInstance(vn, placement)));

function countInstance(vn: VnShape, placement: Placement): ReadonlyMap<NodeName, Demand> {
  const counts = new Counts();
  const placed = (router: RouterName) => placement.get(router);
  const ends = [
    ...vn.links.map(({ from, to }) => [placed(from), placed(to)]),
    ...vn.gateways.map((gateway) => [gateway.node, placed(gateway.router)]),
  ];
  for (const router of vn.routers) {
    // Each router has routes to all end hosts, and to both ends of every link that is not its own.
    if (isImageRouter(router)) {
      counts.add(placed(router.name), { namespaces: 1, machines: 1, machineMib: router.config.memoryMib });
      continue;
    }
    counts.add(placed(router.name), {
      namespaces: 1,
      routes: vn.endHosts.length + 2 * ends.length,
      daemons: programOf(router) === undefined ? 0 : 1,
    });
  }
  for (const pair of ends) for (const node of new Set(pair)) counts.add(node, { tunnels: 1 });
  // Each end of a link on the node already has a route to its neighbour.
  const isGuest = (name: RouterName) => imageRouter(vn, name) !== undefined;
  for (const { from, to } of vn.links)
    for (const router of [from, to]) if (!isGuest(router)) counts.add(placed(router), { routes: -1 });
  for (const { node, router } of vn.gateways) {
    if (!isGuest(router)) counts.add(placed(router), { routes: -1 });
    counts.add(node, { routes: 2 });
  }
  return counts.byNode;
}

/** The demand of what outlives instances: access links, and the routes of gateways and end hosts. */
export function accessDemand(vn: VnShape, node: NodeName): Demand {
  return accessDemands(vn).get(node) ?? none;
}

const accessDemands = onceFor((vn: VnShape): ReadonlyMap<NodeName, Demand> => {
  const counts = new Counts();
  const behind = Map.groupBy(vn.endHosts, ({ gateway }) => gateway);
  for (const { name, node } of vn.gateways) {
    const own = behind.get(name)?.length ?? 0;
    counts.add(node, { tunnels: own, routes: vn.endHosts.length });
  }
  for (const { node } of vn.endHosts) counts.add(node, { tunnels: 1, routes: 1 + vn.endHosts.length });
  // The rules are counted as a route.
  for (const node of new Set([...vn.gateways, ...vn.endHosts].map((place) => place.node)))
    counts.add(node, { routes: 1 });
  return counts.byNode;
});

/** Demands that add up, by node. */
class Counts {
  readonly byNode = new Map<NodeName, Demand>();

  /** Does nothing for a router without a node. */
  add(node: NodeName | undefined, more: Partial<Demand>): void {
    if (node !== undefined) this.byNode.set(node, addDemand(this.byNode.get(node) ?? none, { ...none, ...more }));
  }
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
        machines: twoLargest('machines'),
        machineMib: twoLargest('machineMib'),
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
