/**
 * Steps 2 to 4 of a migration (the paper, section III-D): make the new instance next to the old one. Traffic is not
 * affected.
 */

import type { ClockEstimate } from '../../clock/exchange.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import { slotCount } from '../../model/room.ts';
import { hasImages, routerNames } from '../../model/router.ts';
import { type Instance, planInstance } from '../../planning/instance.ts';
import type { FlowPath } from '../../planning/loss/types.ts';
import type { RoutingState } from '../../planning/routes.ts';
import { mergeBatches } from '../batches/batches.ts';
import { joinGateways, setGroups, setUrpf } from '../batches/gateways.ts';
import { namespacesOf } from '../batches/operations.ts';
import { setUpRouters } from '../batches/routers.ts';
import { applyAll } from '../nodes/agents.ts';
import { measureClocks, type NodeClock } from '../nodes/clocks.ts';
import { refuseCollisions } from '../nodes/collisions.ts';
import { provideImages } from '../nodes/images.ts';
import { noteUnfiltered } from '../nodes/unfiltered.ts';
import { measurePaths } from '../probe/measure-paths.ts';
import { tunnelMtu } from '../probe/mtu.ts';
import type { PathLatency } from '../probe/path-latency.ts';
import { awaitEqual, awaitWays, hasDaemons, readTables } from '../routing/converge.ts';
import { awaitGuests, awaitPackets } from '../routing/guests.ts';
import { applyRoutes, readTranslated, translateRecorded } from '../routing/translated.ts';
import { both } from './both.ts';
import { type TimerLags, timerLags } from './decide.ts';
import { declaredFlowPaths, measuredFlowPaths } from './flow-paths.ts';
import { namesOf, proveGateways, proveRoutes } from './proof.ts';
import { proveSizes } from './prove-sizes.ts';
import { advance, describeRecorded, type Recorded, type Run } from './types.ts';

/** Records the new instance, before anything of it is made. */
export function addInstance({ context, agents, slice, vn, to, id }: Run): Recorded {
  const plan = (slot: number) => planInstance(slice, vn, to.placement, slot);
  const namespaces = (instance: Instance) => namespacesOf(vn, instance, agents);
  const fresh = context.store.instances.add(slice.name, vn.name, to.name, slotCount(slice), plan, namespaces);
  if (id !== undefined) context.store.migrations.progress(id, { newInstance: fresh.record.id });
  return fresh;
}

/** Step 2: a virtual router on each node, tunnels between them. */
export async function setUp(run: Run, fresh: Instance): Promise<void> {
  const { context, agents, mtu } = run;
  advance(run, 'set up');
  const [, room] = await both(
    () => refuseCollisions(agents, fresh.placement.values(), context.signal),
    // The access links exist already, with this MTU.
    () => tunnelMtu(agents, fresh, []),
  );
  if (room.mtu < mtu) {
    throw new VnmError(
      'unsupported',
      `node '${room.node}' carries ${room.mtu} bytes in a tunnel, but the VN's packets have up to ${mtu}`,
      { hint: 'migrate to a placement without this node' },
    );
  }
  noteUnfiltered(context, agents, fresh.placement.values());
  const batches = setUpRouters(run, fresh);
  await provideImages(context, agents, batches);
  await applyAll(agents, batches, context.signal);
  await awaitGuests(context, agents, run.vn, fresh);
}

/** The routing state of the new instance. */
export interface Cloned {
  readonly state: RoutingState;
  /** Routers whose old node was unreachable. */
  readonly fromRecord: readonly string[];
}

/** Step 3: clones the routes that the old routers really have; for an unreachable node, those in the database. */
export async function clone(run: Run, fresh: Instance): Promise<Cloned> {
  const { context, agents, vn, old } = run;
  advance(run, 'clone');
  const live = await readTranslated(agents, vn, old.instance, fresh);
  const fromRecord = routerNames(vn).filter((router) => !live.has(router));
  const state = fromRecord.length === 0 ? live : new Map([...live, ...readRecord(run, fresh, fromRecord)]);
  if (run.id !== undefined) context.store.migrations.progress(run.id, { fromRecord });
  await applyRoutes(agents, vn, fresh, new Map(), state, context.signal);
  return { state, fromRecord };
}

function readRecord(
  { context, slice, vn, old, id }: Run,
  fresh: Instance,
  routers: readonly RouterName[],
): RoutingState {
  const { instances, events } = context.store;
  const [own, added] = [instances.routes(old.record.id), instances.addedRoutes(old.record.id)];
  const state = routers.map((router) => {
    const recorded = { own: own.get(router) ?? [], added: added.get(router) ?? [] };
    const { routes, left } = translateRecorded(vn, router, recorded, old.instance, fresh);
    for (const { message } of left) context.report({ kind: 'note', text: `left out: ${message}` });
    return [router, routes] as const;
  });
  const text = describeRecorded(routers, old.instance.placement);
  context.report({ kind: 'note', text });
  if (id !== undefined) events.add(slice.name, 'cloned-from-record', `VN '${vn.name}': ${text}`);
  return new Map(state);
}

/**
 * Step 4: makes the gateways' links into the new instance. Returns the new routers' tables, once their daemons have
 * built them.
 */
export async function join(run: Run, fresh: Instance, { state }: Pick<Cloned, 'state'>): Promise<RoutingState> {
  advance(run, 'join gateways');
  const { context, agents, vn } = run;
  await applyAll(agents, joinGateways(run, fresh), context.signal);
  if (!hasDaemons(vn) && !hasImages(vn)) return state;
  advance(run, 'settle');
  if (!hasImages(vn)) return settled(run, fresh, true);
  await awaitPackets(context, agents, run, fresh, 'gateways');
  return state;
}

/**
 * Proves the new instance: its `tables`, and with packets from each gateway to each other and through each tunnel.
 * Meanwhile measures the gateways' clocks and timers: waiting for packets disturbs neither the shortest exchange with a
 * clock nor a timer. Without `timers`, the controller will command the redirections.
 */
export async function proveNew(
  run: Run,
  fresh: Instance,
  tables: RoutingState,
  { timers }: { readonly timers: boolean },
): Promise<{ clocks: ReadonlyMap<string, NodeClock>; lags: TimerLags | undefined }> {
  advance(run, 'prove');
  const { agents, vn } = run;
  // Only guests know their tables: there packets must prove it.
  if (!hasImages(vn)) proveRoutes(run, fresh, tables);
  const prove = () =>
    both(
      () => proveGateways(run, fresh),
      () => proveSizes(run, fresh),
    );
  const measure = () =>
    both(
      () =>
        measureClocks(
          agents,
          vn.gateways.map(({ node }) => node),
        ),
      async () => (timers ? timerLags(agents, vn) : undefined),
    );
  const [, [clocks, lags]] = await both(prove, measure);
  return { clocks, lags };
}

/**
 * Waits until the new routers' daemons have built the tables that the old ones have; if an old router is unreachable,
 * until there is a way for every pair. Returns the new tables.
 */
async function settled(run: Run, fresh: Instance, stable: boolean): Promise<RoutingState> {
  const { context, agents, vn, old } = run;
  const isWhole = routerNames(vn).every((router) => !agents.missing.has(old.instance.placement.get(router)!));
  if (isWhole) return awaitEqual(context, agents, vn, old.instance, fresh, { stable });
  await awaitWays(context, agents, run, fresh, { isUrgent: true });
  return readTables(agents, vn, fresh);
}

/** Makes every gateway accept packets from both instances, if the uRPF mode can; it still sends into the old one. */
export async function acceptBoth(run: Run, fresh: Instance): Promise<void> {
  const { instance } = run.old;
  const batches = mergeBatches(setUrpf(run, instance), setGroups(run, [instance, fresh], instance));
  await applyAll(run.agents, batches, run.context.signal);
}

/** Path latencies on both instances. */
export interface Latencies {
  readonly old: PathLatency[];
  readonly fresh: PathLatency[];
}

/** Probes per path; fewer while traffic waits for the redirection. */
const [probes, urgentProbes] = [50, 10];

/** Still step 4: measures the old instance under its traffic, and the new one before anyone uses it. */
export async function measureBoth(
  run: Run,
  fresh: Instance,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<Latencies> {
  const { agents, vn, old } = run;
  const isUrgent = routerNames(vn).some((router) => agents.missing.has(old.instance.placement.get(router)!));
  const count = isUrgent ? urgentProbes : probes;
  advance(run, 'measure');
  const [oldPaths, freshPaths] = await Promise.all([
    measurePaths(agents, vn, old.instance, clocks, count),
    measurePaths(agents, vn, fresh, clocks, count),
  ]);
  return { old: oldPaths, fresh: freshPaths };
}

/** Returns the flows with these latencies, or with those of the slice file if a gateway drops the probes. */
export function flowsMeasured({ context, slice, vn, old, to, mtu }: Run, latencies: Latencies): FlowPath[] {
  const silent = latencies.fresh.filter(({ lost, probes: sent }) => lost === sent);
  if (silent.length > 0) {
    const text = `no probe arrived from ${namesOf(silent)}: a gateway drops them; using the latencies of the slice file`;
    context.report({ kind: 'note', text });
  }
  const declared = declaredFlowPaths(slice, vn, old.instance.placement, to.placement, mtu);
  return measuredFlowPaths(vn, latencies.old, latencies.fresh, mtu, declared);
}

/**
 * Clones the routes that changed on the old routers since `clone`. Those of unreachable routers stay as they were
 * cloned.
 */
export async function cloneChanges(
  run: Run,
  { record, instance }: Recorded,
  { state, fromRecord }: Cloned,
): Promise<void> {
  const { context, agents, vn, old } = run;
  const isWhole = fromRecord.length === 0;
  if (hasDaemons(vn) && !hasImages(vn) && isWhole) await settled(run, instance, false);
  const cloned = routerNames(vn).filter((router) => !fromRecord.includes(router));
  const live = await readTranslated(agents, vn, old.instance, instance, cloned);
  const now = new Map([...state, ...live]);
  const changed = await applyRoutes(agents, vn, instance, state, now, context.signal);
  if (changed > 0) {
    context.report({
      kind: 'note',
      text: `${changed} routes changed on the old routers meanwhile and were cloned again`,
    });
  }
  context.store.instances.saveRoutes(record.id, now);
}
