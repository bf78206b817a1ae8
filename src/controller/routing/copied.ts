/**
 * The routes of a router that moves with its daemon. What the daemon put into the kernel is copied with its protocol,
 * so that the daemon takes it for its own on the other node. Both places have the same interfaces and addresses, so
 * nothing is translated.
 */
import { type DaemonKind, isDaemonProtocol } from '../../model/daemon.ts';
import type { RouterName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import { ofInstance } from '../../planning/translate.ts';
import type { Batches } from '../batches/batches.ts';
import { namespaceOf, routeOperations } from '../batches/operations.ts';
import type { Agents } from '../nodes/agents.ts';
import { missingIn, staticRoutes } from './static.ts';

/** Reads what moves. `withDaemons`: also what the daemon added. */
export async function readCopied(
  agents: Agents,
  instance: Instance,
  router: RouterName,
  kind: DaemonKind,
  withDaemons: boolean,
): Promise<Route[]> {
  const routes = await staticRoutes.read(agents, instance, router);
  const isOfInstance = ofInstance(instance);
  return routes.filter((route) => (isDaemonProtocol(kind, route.protocol) ? withDaemons : !isOfInstance(route)));
}

/** Returns the batch that changes the router's place in the instance from the routes `before` to those `after`. */
export function putCopied(
  instance: Instance,
  router: RouterName,
  kind: DaemonKind,
  before: readonly Route[],
  after: readonly Route[],
  agents: Agents,
): Batches {
  const namespace = namespaceOf(instance, router, agents);
  const protocolOf = ({ protocol }: Pick<Route, 'protocol'>) =>
    isDaemonProtocol(kind, protocol) ? protocol : undefined;
  const operations = [
    ...routeOperations('delete', missingIn(after, before), namespace, protocolOf),
    ...routeOperations('add', missingIn(before, after), namespace, protocolOf),
  ];
  return new Map([[instance.placement.get(router)!, operations]]);
}
