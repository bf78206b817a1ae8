/** A router with its neighbours, and the order in which the routers of a VN can move. Pure. */
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
 * Returns the VN that is left with a router, its neighbours and the links between them, in their order, for a trial of
 * the paths between them: its routers are static, so that no second daemon has their identity.
 */
export function neighbourhoodOf(vn: VirtualNetwork, router: RouterName): VirtualNetwork {
  const links = vn.links.filter(({ from, to }) => from === router || to === router);
  const names = new Set([router, ...links.flatMap(({ from, to }) => [from, to])]);
  return {
    ...vn,
    routers: vn.routers.flatMap(({ name }) => (names.has(name) ? [{ name, kind: 'static', config: {} }] : [])),
    links,
    gateways: vn.gateways.filter((gateway) => gateway.router === router),
    endHosts: [],
    flows: [],
  };
}

/** The part of an instance that the router's neighbourhood has. */
export function withinNeighbourhood(instance: Instance, router: RouterName): Instance {
  return { ...instance, links: instance.links.filter(touches(router)) };
}

function touches(router: RouterName): (link: InstanceLink) => boolean {
  return ({ a, b }) => a.router === router || b.router === router;
}

/**
 * Returns the moves that lead to a placement, in an order in which each is possible. Throws VnmError `unsupported` if
 * there is none.
 */
export function orderMoves(vn: VirtualNetwork, instance: Instance, goal: Placement): RouterMove[] {
  const moves: RouterMove[] = [];
  let now = instance;
  for (;;) {
    const open = routerNames(vn).filter((router) => now.placement.get(router) !== goal.get(router));
    if (open.length === 0) return moves;
    const next = open.find((router) => obstacleOf(now, router, goal.get(router)!) === undefined);
    if (next === undefined) throw refused(open.map((router) => obstacleOf(now, router, goal.get(router)!)!).join('; '));
    moves.push({ router: next, from: now.placement.get(next)!, to: goal.get(next)! });
    now = moveRouter(now, next, goal.get(next)!);
  }
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
