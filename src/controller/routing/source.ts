/** Reads the routing state of one kind of router and puts it into other routers. */
import type { RouterName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import type { Batches, NodeNames } from '../batches/batches.ts';
import type { Agents } from '../nodes/agents.ts';

export interface RoutingSource {
  /** Reads the routes that a router has now. Throws VnmError `unreachable` or `timeout` if its node is unreachable. */
  read(agents: Agents, instance: Instance, router: RouterName): Promise<Route[]>;
  /** Whether an entry moves with the router. What a routing daemon added does not: the daemon adds it again. */
  isOwn(route: Route): boolean;
  /** Translates own entries to another instance. Throws VnmError for one that no other instance can have. */
  translate(router: RouterName, routes: readonly Route[], from: Instance, to: Instance): Route[];
  /** Returns the batches that change a new router from the entries `before` (none at first) to those `after`. */
  put(
    instance: Instance,
    router: RouterName,
    before: readonly Route[],
    after: readonly Route[],
    names: NodeNames,
  ): Batches;
  /** Resolves once the new router forwards by the entries that were put, and keeps doing so. */
  settled(agents: Agents, instance: Instance, router: RouterName): Promise<void>;
}
