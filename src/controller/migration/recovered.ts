/** Waits until a routing daemon that has moved has its neighbours and routes again. */
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName, RouterName } from '../../model/names.ts';
import { daemonRouter } from '../../model/router.ts';
import { routerId } from '../../planning/daemons/router-id.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { linksOf } from '../../planning/neighbourhood.ts';
import type { RoutingState } from '../../planning/routes.ts';
import type { DaemonState } from '../../vsys/daemon.ts';
import { namespaceOf } from '../batches/operations.ts';
import { differencesBetween, patienceMs, readTables, shorten, waitUntilEmpty } from '../routing/converge.ts';
import type { Run } from './types.ts';

/** What the daemon knew, and what all routers of the VN forwarded by, before it moved. */
export interface Before {
  readonly state: DaemonState;
  readonly tables: RoutingState;
}

/**
 * Resolves when all adjacencies are up, at the daemon and at its neighbours, and when it has had the neighbours and
 * routes of `before`, and all routers their forwarding tables, for `quietMs`. Without `before` (an interrupted move)
 * the adjacencies decide. Throws VnmError `failed` with what is missing if that does not happen in time.
 */
export async function awaitRecovered(
  run: Run,
  router: RouterName,
  node: NodeName,
  quietMs: number,
  before?: Before,
): Promise<void> {
  const { context, agents, vn, slice, old } = run;
  const place = moveRouter(old.instance, router, node);
  const id = routerId(slice, vn, router);
  const stateOn = (of: RouterName): Promise<DaemonState> =>
    agents.get(place.placement.get(of)!).call('daemon_state', { namespace: namespaceOf(place, of, agents) });
  const neighbours = neighboursOf(run, router);

  async function missing(): Promise<string[]> {
    const [own, tables, ...theirs] = await Promise.all([
      stateOn(router),
      reachableTables(run, place),
      ...neighbours.map(stateOn),
    ]);
    return [
      ...missingIn(own, before?.state),
      ...theirs.flatMap(({ adjacencies }, index) => {
        const down = adjacencies.find((one) => one.neighbour === id && !one.isUp);
        return down === undefined ? [] : [`router ${neighbours[index]} is in state ${down.state} with it`];
      }),
      ...(before === undefined ? [] : differencesBetween(before.tables, tables)),
    ];
  }

  const look = () => missing().catch((error: unknown) => [messageOf(error)]);
  const left = await waitUntilEmpty(context, look, patienceMs(vn), quietMs);
  if (left.length === 0) return;
  throw new VnmError(
    'failed',
    `after ${patienceMs(vn) / 1000} s the routing daemon of router '${router}' on node '${node}' has not recovered: ${shorten(left)}`,
  );
}

/** The tables of all routers that can be reached. */
export function reachableTables({ agents, vn }: Pick<Run, 'agents' | 'vn'>, instance: Instance): Promise<RoutingState> {
  const routers = vn.routers.filter(({ name }) => agents.nodes().includes(instance.placement.get(name)!));
  return readTables(agents, { ...vn, routers }, instance);
}

/** The routers with a routing daemon at the other ends of its links. */
export function neighboursOf({ vn, old }: Pick<Run, 'vn' | 'old'>, router: RouterName): RouterName[] {
  const peers = linksOf(old.instance, router).flatMap(({ peer }) => peer.router ?? []);
  return [...new Set(peers)].filter((peer) => daemonRouter(vn, peer) !== undefined);
}

/** What a daemon lacks of what one knew before. Pure. */
export function missingIn({ adjacencies, routes }: DaemonState, before: DaemonState | undefined): string[] {
  const upBefore = before?.adjacencies.filter(({ isUp }) => isUp) ?? [];
  const known = new Set(before?.adjacencies.map(({ address }) => address));
  return [
    ...adjacencies
      .filter(({ isUp, address }) => !isUp && (before === undefined || !known.has(address)))
      .map(({ address, state }) => `its neighbour ${address} is in state ${state}`),
    ...upBefore.flatMap(({ address, protocol }) => {
      const now = adjacencies.find((one) => one.address === address && one.protocol === protocol);
      return now?.isUp === true ? [] : [`its neighbour ${address} is in state ${now?.state ?? 'Down'}`];
    }),
    ...Object.entries(before?.routes ?? {})
      .filter(([origin, count]) => (routes[origin] ?? 0) < count)
      .map(([origin, count]) => `it has ${routes[origin] ?? 0} of ${count} routes from ${origin}`),
  ];
}
