/** Where a router's routing state comes from, and how it gets into another router: by the router's kind. */
import type { RouterName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import type { Batches, NodeNames } from '../batches/batches.ts';
import type { Agents } from '../nodes/agents.ts';

export interface RoutingSource {
  /** What a router has at this moment. Throws VnmError `unreachable` or `timeout` where its node is unreachable. */
  read(agents: Agents, instance: Instance, router: RouterName): Promise<Route[]>;
  /** Whether an entry moves with the router; what a routing daemon has put there it will put there again. */
  isOwn(route: Route): boolean;
  /** Own entries in the terms of another instance. Throws VnmError for one that no other instance can have. */
  translate(router: RouterName, routes: readonly Route[], from: Instance, to: Instance): Route[];
  /** What brings a new router from the entries `before` (none at first) to those `after`. */
  put(
    instance: Instance,
    router: RouterName,
    before: readonly Route[],
    after: readonly Route[],
    names: NodeNames,
  ): Batches;
  /** Resolves once the new router forwards by what was put, and goes on doing so. */
  settled(agents: Agents, instance: Instance, router: RouterName): Promise<void>;
}
