/**
 * The routes of a router with a routing daemon. What the daemon put into the kernel does not move with the router: the
 * daemon on the new instance learns it again, and would lose against a copy of it. What others added by hand moves as
 * it does with static routes.
 */
import { type DaemonKind, isDaemonProtocol } from '../../model/daemon.ts';
import { ofInstance } from '../../planning/translate.ts';
import type { RoutingSource } from './source.ts';
import { staticRoutes } from './static.ts';

export function daemonRoutes(kind: DaemonKind): RoutingSource {
  const isOwn: RoutingSource['isOwn'] = ({ protocol }) => !isDaemonProtocol(kind, protocol);
  return {
    ...staticRoutes,
    isOwn,
    read: async (agents, instance, router) => {
      const isOfInstance = ofInstance(instance);
      const routes = await staticRoutes.read(agents, instance, router);
      return routes.filter((route) => isOwn(route) && !isOfInstance(route));
    },
  };
}
