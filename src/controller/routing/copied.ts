/**
 * The routes of a router that moves, however many it has. What its daemon put into the kernel is copied with its
 * protocol, so that the daemon takes it for its own on the other node. Both places have the same addresses, so with a
 * daemon nothing is translated.
 */
import { type DaemonKind, isDaemonProtocol } from '../../model/daemon.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import { missingInPacked, type PackedRoutes, packRoutes } from '../../model/packed-routes.ts';
import type { Route } from '../../model/route.ts';
import { daemonRouter } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { infrastructureRoutes } from '../../planning/routes.ts';
import { translatePacked, withoutOwn } from '../../planning/translate.ts';
import type { Batches } from '../batches/batches.ts';
import { namespaceOf, packedRouteOperations } from '../batches/operations.ts';
import type { Agents } from '../nodes/agents.ts';
import { type PackedTable, readPacked } from './static.ts';
import { whereReachable } from './translated.ts';

/** What a place of the router has, or must have; `table`: all that it was copied from. */
export interface Copied {
  readonly table: PackedTable;
  readonly routes: readonly PackedRoutes[];
}

/**
 * Reads the router's place in `from`, unless its table is still the one `before`, and returns what its place in `to`
 * must have. `withDaemons`: also what the daemon added. Throws VnmError `unreachable`, `timeout`, and as
 * `translateRoutes`.
 */
export async function readCopied(
  agents: Agents,
  vn: VirtualNetwork,
  router: RouterName,
  { from, to }: { readonly from: Instance; readonly to: Instance },
  withDaemons: boolean,
  before?: Copied,
): Promise<Copied> {
  const read = () => readPacked(agents, from, router, before?.table);
  const kind = daemonRouter(vn, router)?.kind;
  if (kind !== undefined) {
    const table = await read();
    return { table, routes: keptOf(table.packed, kind, from, withDaemons) };
  }
  const table = await whereReachable(agents, from, router, read);
  const node = from.placement.get(router);
  if (table === undefined) throw new VnmError('unreachable', `node '${node}' with router '${router}' is unreachable`);
  const infrastructure = infrastructureRoutes(vn, to).get(router) ?? [];
  return { table, routes: [...translatePacked(router, table.packed, from, to), ...packRoutes(infrastructure)] };
}

function keptOf(
  packed: readonly PackedRoutes[],
  kind: DaemonKind,
  instance: Instance,
  withDaemons: boolean,
): PackedRoutes[] {
  const isDaemons = ({ protocol }: PackedRoutes) => isDaemonProtocol(kind, protocol);
  const others = withoutOwn(
    packed.filter((bundle) => !isDaemons(bundle)),
    instance,
  );
  return withDaemons ? [...packed.filter(isDaemons), ...others] : others;
}

/** Returns the batch that changes the router's place in the instance from the routes `before` to those `after`. */
export function putCopied(
  vn: VirtualNetwork,
  instance: Instance,
  router: RouterName,
  before: readonly PackedRoutes[],
  after: readonly PackedRoutes[],
  agents: Agents,
): Batches {
  const kind = daemonRouter(vn, router)?.kind;
  const namespace = namespaceOf(instance, router, agents);
  const protocolOf = ({ protocol }: Pick<Route, 'protocol'>) =>
    kind !== undefined && isDaemonProtocol(kind, protocol) ? protocol : undefined;
  const operations = [
    ...packedRouteOperations('delete', missingInPacked(after, before), namespace, protocolOf),
    ...packedRouteOperations('add', missingInPacked(before, after), namespace, protocolOf),
  ];
  return new Map(operations.length === 0 ? [] : [[instance.placement.get(router)!, operations]]);
}
