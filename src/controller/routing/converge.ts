/**
 * Waits until the routing daemons of an instance have built its forwarding tables. What counts is what the kernels
 * forward by, not what the daemons say.
 */
import { sleep } from '../../clock/sleep.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import type { Route } from '../../model/route.ts';
import { daemonRouter, routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { RoutingState } from '../../planning/routes.ts';
import { ofInstance, translateRoutes } from '../../planning/translate.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import { type Walk, walkThrough } from '../../planning/walk.ts';
import { isDaemonRoute } from '../../vsys/daemon.ts';
import { describeRoute } from '../../vsys/difference.ts';
import type { Context } from '../base/context.ts';
import type { Agents } from '../nodes/agents.ts';
import { missingIn, type ReadTable, readTable } from './static.ts';

const pollMs = 250;
const reportEveryMs = 5000;
/** How long the tables must not change before they count as final. */
export const stableMs = 2000;
/** Routers send the next version of a link-state advertisement after 5 s at the earliest (RFC 2328, MinLSInterval). */
const settledMs = 6000;
/** Of a difference, the most lines in an error. */
const maxLines = 8;

/** Whether some router of the VN runs a routing daemon; then all do (decision 37). */
export function hasDaemons(vn: VirtualNetwork): boolean {
  return routerNames(vn).some((router) => daemonRouter(vn, router) !== undefined);
}

/** The longest wait: adjacencies take one RouterDeadInterval (RFC 2328) at most, then routes are computed. */
export function patienceMs({ routing }: VirtualNetwork): number {
  return 30_000 + 3000 * (routing?.deadS ?? 10);
}

/**
 * Waits until every pair of end hosts has a way through the forwarding tables and, unless traffic waits, until the
 * tables no longer change. Reports a note, and returns, if that does not happen in time: a configuration of the user's
 * own may not want it.
 */
export async function awaitWays(
  context: Context,
  agents: Agents,
  { vn, access }: Pick<VnPlan, 'vn' | 'access'>,
  instance: Instance,
  { isUrgent = false }: { isUrgent?: boolean } = {},
): Promise<void> {
  context.report({ kind: 'phase', text: `wait for the routes of VN '${vn.name}'` });
  const read = tablesReader(agents, vn, instance);
  let changedAtMs = performance.now();
  const missing = async () => {
    const { tables, changed } = await read();
    if (changed.size > 0) changedAtMs = performance.now();
    const without = withoutWay(walkThrough(instance, tables));
    const isSettled = isUrgent || performance.now() - changedAtMs >= settledMs;
    return without.length > 0 || isSettled ? without : ['the forwarding tables still change'];
  };
  const withoutWay = (deadEnd: Walk) =>
    access.flatMap((from) =>
      access.flatMap((to) => {
        const end =
          to.gateway === from.gateway
            ? undefined
            : deadEnd(from.gateway, { gateway: to.gateway, address: to.hostEnd.address });
        return end === undefined ? [] : [`${from.endHost} to ${to.endHost}: ${end.why} at router ${end.router}`];
      }),
    );
  const left = await waitUntilEmpty(context, missing, patienceMs(vn), 0);
  if (left.length === 0) return;
  const text = `after ${patienceMs(vn) / 1000} s the routers have not converged: ${shorten(left)}`;
  context.report({ kind: 'note', text });
}

/**
 * Waits until the forwarding table of every new router has been the translation of the old router's for a while.
 * Returns the new tables. Throws VnmError `failed` that names the differences if that does not happen in time.
 */
export async function awaitEqual(
  context: Context,
  agents: Agents,
  vn: VirtualNetwork,
  from: Instance,
  to: Instance,
  { stable = true }: { stable?: boolean } = {},
): Promise<RoutingState> {
  const [readOld, readFresh] = [tablesReader(agents, vn, from), tablesReader(agents, vn, to)];
  const found = new Map<RouterName, string[]>();
  let tables: RoutingState = new Map();
  const differences = async () => {
    const [old, fresh] = await Promise.all([readOld(), readFresh()]);
    tables = fresh.tables;
    for (const router of new Set([...old.changed, ...fresh.changed])) {
      const wanted = translateRoutes(router, old.tables.get(router)!, from, to);
      found.set(router, differencesOf(router, wanted, fresh.tables.get(router)!.filter(isNotOf(to))));
    }
    return [...found.values()].flat();
  };
  const left = await waitUntilEmpty(context, differences, patienceMs(vn), stable ? stableMs : 0);
  if (left.length === 0) return tables;
  throw new VnmError(
    'failed',
    `after ${patienceMs(vn) / 1000} s the new routers do not forward as the old ones do: ${shorten(left)}`,
  );
}

/** Returns what `look` still finds when it has found nothing for `quietMs`, or after `patience`. */
export async function waitUntilEmpty(
  { report, signal }: Context,
  look: () => Promise<string[]>,
  patience: number,
  quietMs: number,
): Promise<string[]> {
  const beganAtMs = performance.now();
  let reportedAtMs = beganAtMs;
  let emptySinceMs: number | undefined;
  for (;;) {
    const lookedAtMs = performance.now();
    const found = await look();
    const nowMs = performance.now();
    emptySinceMs = found.length > 0 ? undefined : (emptySinceMs ?? nowMs);
    if (emptySinceMs !== undefined && nowMs - emptySinceMs >= quietMs) return [];
    if (nowMs - beganAtMs > patience)
      return found.length > 0 ? found : ['they became equal too late to know whether they stay so'];
    if (found.length > 0 && nowMs - reportedAtMs > reportEveryMs) {
      reportedAtMs = nowMs;
      const left = ((patience - (nowMs - beganAtMs)) / 1000).toFixed(0);
      report({ kind: 'note', text: `still waiting, at most ${left} s more: ${shorten(found, 2)}` });
    }
    // Reading large tables takes time from the daemons that they wait for.
    await sleep(Math.max(pollMs, nowMs - lookedAtMs), signal);
  }
}

/** All routes of all routers, whoever added them. */
export async function readTables(agents: Agents, vn: VirtualNetwork, instance: Instance): Promise<RoutingState> {
  return (await tablesReader(agents, vn, instance)()).tables;
}

/**
 * Returns a function that reads all routes of all routers, and says which routers' have changed since it was called
 * before: all when it is called first. Tables that have not changed are neither sent nor compared again.
 */
function tablesReader(agents: Agents, vn: VirtualNetwork, instance: Instance) {
  let last: ReadonlyMap<RouterName, ReadTable> = new Map();
  return async (): Promise<{ readonly tables: RoutingState; readonly changed: ReadonlySet<RouterName> }> => {
    const read = routerNames(vn).map(
      async (router) => [router, await readTable(agents, instance, router, last.get(router))] as const,
    );
    const before = last;
    last = new Map(await Promise.all(read));
    const changed = [...last].filter(([router, { digest }]) => digest !== before.get(router)?.digest);
    return {
      tables: new Map([...last].map(([router, { routes }]) => [router, routes])),
      changed: new Set(changed.map(([router]) => router)),
    };
  };
}

/** Not one of those that each instance has of its own. */
function isNotOf(instance: Instance): (route: Route) => boolean {
  const isOfInstance = ofInstance(instance);
  return (route) => !isOfInstance(route);
}

/** Describes what the new tables lack, and what they have besides. Pure. */
export function differencesBetween(wanted: RoutingState, found: RoutingState): string[] {
  return [...wanted].flatMap(([router, routes]) => differencesOf(router, routes, found.get(router) ?? []));
}

function differencesOf(router: RouterName, wanted: readonly Route[], found: readonly Route[]): string[] {
  const [must, is] = [wanted.map(comparable), found.map(comparable)];
  return [
    ...missingIn(is, must).map((route) => `router ${router} lacks ${route.prefix} ${describeRoute(route)}`),
    ...missingIn(must, is).map((route) => `router ${router} also has ${route.prefix} ${describeRoute(route)}`),
  ];
}

/**
 * Equal-cost next hops have no order, and weights that all are equal mean nothing. A route that somebody added gets the
 * agent's mark as its origin when it is cloned.
 */
function comparable(route: Route): Route {
  const { nexthops } = route;
  const protocol = isDaemonRoute(route) ? route.protocol : 'added';
  const isEven = nexthops.every(({ weight }) => weight === nexthops[0]!.weight);
  const inOrder = nexthops.toSorted((a, b) => (a.interface < b.interface ? -1 : 1));
  return { ...route, protocol, nexthops: isEven ? inOrder.map((nexthop) => ({ ...nexthop, weight: 1 })) : inOrder };
}

export function shorten(lines: readonly string[], most = maxLines): string {
  const more = lines.length > most ? `; and ${lines.length - most} more` : '';
  return `${lines.slice(0, most).join('; ')}${more}`;
}
