/** Routers with their neighbours, and the order in which the routers of a VN can move. Pure. */
import { VnmError } from '../model/errors.ts';
import type { NodeName, RouterName } from '../model/names.ts';
import { routerNames } from '../model/router.ts';
import type { Placement, VirtualNetwork } from '../model/slice.ts';
import { type Instance, type InstanceLink, type LinkEnd, moveRouter } from './instance.ts';
import { sides } from './routes.ts';

/** A router that moves from one node to another. */
export interface RouterMove {
  readonly router: RouterName;
  readonly from: NodeName;
  readonly to: NodeName;
}

/** Returns the links of a router, each with its own end and that of the neighbour. */
export function linksOf(
  { links }: Pick<Instance, 'links'>,
  router: RouterName,
): { readonly link: InstanceLink; readonly own: LinkEnd; readonly peer: LinkEnd }[] {
  return links.filter(touches(router)).map((link) => ({ link, ...sides(link, router) }));
}

/** The nodes at the other ends of a router's links, each once. */
export function neighbourNodes(instance: Pick<Instance, 'links'>, router: RouterName): NodeName[] {
  return [...new Set(linksOf(instance, router).map(({ peer }) => peer.node))];
}

/** The name of the router or gateway at an end of a link. */
export function endName({ router, gateway }: Pick<LinkEnd, 'router' | 'gateway'>): string {
  return router ?? gateway!;
}

/**
 * Returns the VN that is left with some routers, their neighbours and the links between them, in their order, for a
 * trial of the paths between them: its routers are static, so that no second daemon has their identity.
 */
export function neighbourhoodOf(vn: VirtualNetwork, routers: readonly RouterName[]): VirtualNetwork {
  const links = vn.links.filter(({ from, to }) => routers.includes(from) || routers.includes(to));
  const names = new Set([...routers, ...links.flatMap(({ from, to }) => [from, to])]);
  return {
    ...vn,
    routers: vn.routers.flatMap(({ name }) => (names.has(name) ? [{ name, kind: 'static', config: {} }] : [])),
    links,
    gateways: vn.gateways.filter((gateway) => routers.includes(gateway.router)),
    endHosts: [],
    flows: [],
  };
}

/** The part of an instance that the neighbourhood of these routers has. */
export function withinNeighbourhood(instance: Instance, routers: readonly RouterName[]): Instance {
  return { ...instance, links: instance.links.filter((link) => routers.some((router) => touches(router)(link))) };
}

function touches(router: RouterName): (link: InstanceLink) => boolean {
  return ({ a, b }) => a.router === router || b.router === router;
}

/** Returns the instance with each router on the node that it moves to. */
export function afterMoves(instance: Instance, moves: readonly RouterMove[]): Instance {
  return moves.reduce((now, { router, to }) => moveRouter(now, router, to), instance);
}

/**
 * Returns the moves that lead to a placement, in groups: those of a group are possible at the same time or in any
 * order, each group once the groups before it have moved. A group has at most `atMost` routers, no two of which are
 * neighbours: only a neighbour's place decides whether a router can move, and only neighbours change the same link.
 * They may share nodes. Throws VnmError `unsupported` if there is no such order.
 */
export function groupMoves(vn: VirtualNetwork, instance: Instance, goal: Placement, atMost = 1): RouterMove[][] {
  const groups: RouterMove[][] = [];
  let now = instance;
  for (;;) {
    const open = routerNames(vn).filter((router) => now.placement.get(router) !== goal.get(router));
    if (open.length === 0) return groups;
    const group: RouterMove[] = [];
    for (const router of open) {
      const [from, to] = [now.placement.get(router)!, goal.get(router)!];
      const isFree =
        obstacleOf(now, router, to) === undefined && !group.some((move) => areJoined(vn, move.router, router));
      if (isFree && group.length < atMost) group.push({ router, from, to });
    }
    if (group.length === 0) throw refused(open.map((router) => obstacleOf(now, router, goal.get(router)!)!).join('; '));
    groups.push(group);
    now = afterMoves(now, group);
  }
}

function areJoined({ links }: VirtualNetwork, one: RouterName, other: RouterName): boolean {
  return links.some(({ from, to }) => (from === one && to === other) || (from === other && to === one));
}

/**
 * Says why a router cannot move to a node: one of its links joins two nodes on one side of the move and stays within
 * one node on the other, so that the neighbour would need another interface. Undefined if it can move.
 */
function obstacleOf(instance: Instance, router: RouterName, node: NodeName): string | undefined {
  const before = linksOf(instance, router);
  const after = linksOf(moveRouter(instance, router, node), router);
  const index = before.findIndex(({ link }, position) => link.tunnel !== after[position]!.link.tunnel);
  if (index < 0) return undefined;
  const { peer } = before[index]!;
  const neighbour = peer.router === undefined ? `gateway '${peer.gateway}'` : `router '${peer.router}'`;
  const [verb, where] = peer.node === node ? ['would join', node] : ['leaves', peer.node];
  return `router '${router}' ${verb} its neighbour, ${neighbour}, on node '${where}'`;
}

function refused(what: string): VnmError {
  return new VnmError('unsupported', `a router cannot move to or from the node of its neighbour: ${what}`, {
    hint: 'use --method instance, or a node without a neighbour of the router',
  });
}
