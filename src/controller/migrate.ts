import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockEstimate } from '../clock/exchange.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { slotCount } from '../model/room.ts';
import type { UrpfMode } from '../model/route.ts';
import type { Placement, Slice, VirtualNetwork } from '../model/slice.ts';
import { type Instance, planAccess, planInstance } from '../planning/instance.ts';
import type { InstanceRecord } from '../store/instances.ts';
import type { FlowRecord, Outcome, RedirectionRecord } from '../store/migrations.ts';
import { type Agents, applyAll, withAgents } from './agents.ts';
import { measureClocks } from './clocks.ts';
import { applyRoutes, type RoutingState, readTranslated } from './clone.ts';
import type { Context } from './context.ts';
import { measurePaths, type PathLatency } from './measure.ts';
import { tunnelMtu } from './mtu.ts';
import {
  joinGateways,
  leaveGateways,
  mergeBatches,
  namespaceOf,
  setGroups,
  setUpRouters,
  setUrpf,
  tearDownRouters,
} from './operations.ts';
import { type Phases, startPhases } from './phases.ts';
import { redirectRemotely } from './redirect.ts';
import { activeInstance, choosePlacement, edgeNodes } from './resolve.ts';
import { startTraffic } from './traffic.ts';
import { verifyGateways, verifyVn } from './verify.ts';

export interface MigrateOptions {
  /** Name of the placement to move to. */
  readonly to: string;
  readonly control: 'remote';
  readonly schedule: 'simultaneous';
  readonly urpf: UrpfMode;
  /** Run the slice's flows meanwhile and count. */
  readonly traffic: boolean;
}

export interface MigrateResult {
  readonly slice: string;
  readonly vn: string;
  readonly from: string;
  readonly to: string;
  readonly control: string;
  readonly schedule: string;
  readonly urpf: UrpfMode;
  readonly outcome: Outcome;
  readonly durationMs: number;
  readonly phases: { name: string; ms: number }[];
  /** Routers with their old and new nodes. */
  readonly moves: { router: string; from: string; to: string }[];
  readonly redirections: RedirectionRecord[];
  readonly flows: FlowRecord[];
  /** Why it did not complete. */
  readonly error?: string;
  /** Whether it was stopped by a signal. */
  readonly interrupted: boolean;
}

/** What is sent before and after the redirection at least, so that its effect shows in the counts. */
const trafficMarginMs = 1000;
/** Added to the longest old latency before the old instance goes. */
const drainMarginMs = 250;

/**
 * Moves a VN to another placement: the paper's six steps (section III-D). Until the redirection, a failure takes the new
 * instance away again; after it, the gateways are redirected back first. Throws only for what was wrong before anything began.
 */
export async function migrate(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const placement = choosePlacement(vn, options.to);
  refuseUnfinished(context, slice, vn);
  if (old.record.placementName === options.to) {
    throw new VnmError('conflict', `VN '${vn.name}' of slice '${slice.name}' is on placement '${options.to}' already`, {
      hint: `its placements are ${[...vn.placements.keys()].join(', ')}`,
    });
  }
  const id = context.store.migrations.start({
    slice: slice.name,
    vn: vn.name,
    from: old.record.placementName,
    to: options.to,
    control: options.control,
    schedule: options.schedule,
    urpf: options.urpf,
  });
  const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...placement.values()];
  const phases = startPhases(context, id);
  phases.begin('add nodes');
  try {
    return await withAgents(context, slice, nodes, (agents) =>
      runMigration({ context, agents, slice, vn, options, old, placement, phases, id }),
    );
  } catch (error) {
    // Nothing was changed: the nodes could not be reached, or their policies contradict the slice.
    context.store.migrations.finish(id, 'failed', Date.now(), messageOf(error));
    throw error;
  }
}

function refuseUnfinished(context: Context, slice: Slice, vn: VirtualNetwork): void {
  const records = context.store.instances.list({ slice: slice.name, vn: vn.name });
  const unfinished = records.find(({ state }) => state !== 'active');
  if (unfinished === undefined) return;
  throw new VnmError(
    'conflict',
    `VN '${vn.name}' of slice '${slice.name}' has an unfinished instance on placement '${unfinished.placementName}'`,
    { hint: `an earlier command was interrupted; pl-vnm uninstall ${slice.name} takes everything down` },
  );
}

/** A migration under way: what stays the same in all of its steps. */
interface Run {
  readonly context: Context;
  readonly agents: Agents;
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
  readonly options: MigrateOptions;
  readonly old: { record: InstanceRecord; instance: Instance };
  readonly placement: Placement;
  readonly phases: Phases;
  readonly id: number;
}

async function runMigration(run: Run): Promise<MigrateResult> {
  const { context, agents, slice, vn, options } = run;
  const { mtu, urpf: installedUrpf } = context.store.instances.settings(slice.name, vn.name)!;
  const startedAt = performance.now();
  const traffic = options.traffic ? await startTraffic(agents, slice, vn, mtu) : undefined;
  const fresh = addInstance(run);
  let redirections: RedirectionRecord[] = [];
  let latencies: Latencies | undefined;
  let redirectedAt = startedAt;
  let failure: unknown;
  try {
    await setUp(run, fresh.instance, mtu);
    const state = await clone(run, fresh.instance);
    const clocks = await join(run, fresh.instance, mtu);
    latencies = await prove(run, fresh, clocks, state);
    if (traffic !== undefined) await sleepUntil(startedAt + trafficMarginMs);
    redirections = await redirect(run, fresh, clocks);
    redirectedAt = performance.now();
    await confirm(run, fresh.instance);
  } catch (error) {
    failure = error;
  }
  const outcome =
    failure === undefined ? await retire(run, fresh, latencies) : await rollBack(run, fresh, installedUrpf);
  run.phases.end();
  if (traffic !== undefined && failure === undefined) await sleepUntil(redirectedAt + trafficMarginMs);
  const flows = (await traffic?.finish()) ?? [];
  return recordResult(run, outcome, redirections, flows, failure);
}

/** Begins a step of the way there; an interrupted migration stops here. The way back is not interrupted. */
function advance({ context, phases }: Run, name: string): void {
  context.signal?.throwIfAborted();
  phases.begin(name);
}

/** The new instance is recorded before anything of it is made. */
function addInstance({ context, agents, slice, vn, options, placement }: Run): {
  record: InstanceRecord;
  instance: Instance;
} {
  const plan = (slot: number) => planInstance(slice, vn, placement, slot);
  const namespaces = (instance: Instance) =>
    new Map(vn.routers.map((router) => [router, namespaceOf(instance, router, agents)]));
  return context.store.instances.add(slice.name, vn.name, options.to, slotCount(slice), plan, namespaces);
}

/** Step 2: a virtual router on each node, tunnels between them. */
async function setUp(run: Run, fresh: Instance, mtu: number): Promise<void> {
  const { context, agents, slice, vn, options } = run;
  advance(run, 'set up');
  const room = await tunnelMtu(agents, fresh, planAccess(slice, vn));
  if (room.mtu < mtu) {
    throw new VnmError(
      'unsupported',
      `node '${room.node}' carries ${room.mtu} bytes in a tunnel, the VN's packets have up to ${mtu}`,
      {
        hint: `migrate to a placement without it, or uninstall and install again with all nodes in reach of ${room.mtu} bytes`,
      },
    );
  }
  await applyAll(agents, setUpRouters(vn, fresh, agents, mtu, options.urpf), context.signal);
}

/** Step 3. */
async function clone(run: Run, fresh: Instance): Promise<RoutingState> {
  const { context, agents, vn, old } = run;
  advance(run, 'clone');
  const state = await readTranslated(agents, vn, old.instance, fresh);
  await applyRoutes(agents, fresh, new Map(), state, context.signal);
  return state;
}

/** Step 4: the gateways' links into the new instance; from here on each accepts both, if the uRPF mode can. */
async function join(run: Run, fresh: Instance, mtu: number): Promise<Map<string, ClockEstimate>> {
  const { context, agents, slice, vn, old, options } = run;
  advance(run, 'join gateways');
  const accepted = [old.instance, fresh];
  await applyAll(
    agents,
    mergeBatches(
      setUrpf(vn, old.instance, planAccess(slice, vn), options.urpf),
      joinGateways(slice, vn, fresh, agents, mtu, options.urpf),
      setGroups(slice, vn, agents, accepted, old.instance, options.urpf),
    ),
    context.signal,
  );
  return measureClocks(
    agents,
    vn.gateways.map((gateway) => gateway.node),
  );
}

interface Latencies {
  readonly old: PathLatency[];
  readonly fresh: PathLatency[];
}

/** Still step 4: packets from gateway to gateway, latencies on both instances, and routes that changed since they were cloned. */
async function prove(
  run: Run,
  { record, instance: fresh }: { record: InstanceRecord; instance: Instance },
  clocks: ReadonlyMap<string, ClockEstimate>,
  cloned: RoutingState,
): Promise<Latencies> {
  const { context, agents, vn, old } = run;
  advance(run, 'prove');
  const pairs = await verifyGateways(agents, vn, fresh);
  const broken = pairs.filter((pair) => !pair.reachable);
  if (broken.length > 0) {
    const list = broken.map(({ from, to, stopsAt }) => `${from} to ${to}: it stops ${stopsAt}`);
    throw new VnmError('failed', `the new instance does not carry traffic from ${list.join('; ')}`);
  }
  const [oldPaths, freshPaths] = await Promise.all([
    measurePaths(agents, vn, old.instance, clocks),
    measurePaths(agents, vn, fresh, clocks),
  ]);
  const now = await readTranslated(agents, vn, old.instance, fresh);
  const changed = await applyRoutes(agents, fresh, cloned, now, context.signal);
  if (changed > 0)
    context.report({ kind: 'note', text: `${changed} routes changed on the old routers meanwhile: brought over` });
  context.store.instances.saveRoutes(record.id, now);
  return { old: oldPaths, fresh: freshPaths };
}

/** Step 5: the only one that is critical in time. */
async function redirect(
  run: Run,
  fresh: { record: InstanceRecord; instance: Instance },
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const { context, agents, slice, vn } = run;
  advance(run, 'redirect');
  context.store.instances.setState(fresh.record.id, 'joining');
  return redirectRemotely(agents, slice, vn, fresh.instance, clocks);
}

/** Step 6, first half: the end hosts reach each other over the new instance. */
async function confirm(run: Run, fresh: Instance): Promise<void> {
  const { agents, slice, vn } = run;
  advance(run, 'verify');
  const { ok, pairs } = await verifyVn(agents, slice, vn, fresh);
  if (ok) return;
  const broken = pairs
    .filter((pair) => !pair.reachable)
    .map(({ from, to, stopsAt }) => `${from} to ${to}: it stops ${stopsAt}`);
  throw new VnmError('failed', `after the redirection no packet came from ${broken.join('; ')}`);
}

/** Step 6, second half: the new instance is the VN now; the old one drains and goes. */
async function retire(
  { context, agents, slice, vn, old, options, phases }: Run,
  fresh: { record: InstanceRecord; instance: Instance },
  latencies: Latencies | undefined,
): Promise<Outcome> {
  const { instances } = context.store;
  const { mtu } = instances.settings(slice.name, vn.name)!;
  instances.activate(fresh.record.id, old.record.id);
  instances.setSettings(slice.name, vn.name, { mtu, urpf: options.urpf });
  phases.begin('drain');
  await sleep(Math.max(0, ...(latencies?.old ?? []).map((path) => path.medianMs)) + drainMarginMs);
  phases.begin('retire');
  await applyAll(
    agents,
    mergeBatches(
      setGroups(slice, vn, agents, [fresh.instance], fresh.instance, options.urpf),
      leaveGateways(slice, vn, old.instance),
      tearDownRouters(vn, old.instance, agents),
    ),
  );
  instances.remove(old.record.id);
  return 'completed';
}

/** Back to the old instance: the gateways first, then the new instance goes. */
async function rollBack(
  { context, agents, slice, vn, old, phases }: Run,
  fresh: { record: InstanceRecord; instance: Instance },
  urpf: UrpfMode,
): Promise<Outcome> {
  phases.begin('roll back');
  const { instances } = context.store;
  try {
    await applyAll(
      agents,
      mergeBatches(
        setUrpf(vn, old.instance, planAccess(slice, vn), urpf),
        setGroups(slice, vn, agents, [old.instance], old.instance, urpf),
        leaveGateways(slice, vn, fresh.instance),
        tearDownRouters(vn, fresh.instance, agents),
      ),
    );
    instances.remove(fresh.record.id);
    return 'rolled-back';
  } catch (error) {
    instances.setState(fresh.record.id, 'removing');
    context.store.events.add(slice.name, 'rollback-incomplete', messageOf(error));
    return 'failed';
  }
}

function recordResult(
  { context, slice, vn, options, old, placement, phases, id }: Run,
  outcome: Outcome,
  redirections: RedirectionRecord[],
  counted: Omit<FlowRecord, 'predictedLost'>[],
  failure: unknown,
): MigrateResult {
  const { migrations, events } = context.store;
  const error = failure === undefined ? undefined : messageOf(failure);
  const flows = counted.map((flow) => ({ ...flow, predictedLost: null }));
  migrations.saveRedirections(id, redirections);
  migrations.saveFlows(id, flows);
  migrations.finish(id, outcome, Date.now(), error);
  const summary = `VN '${vn.name}' from placement '${old.record.placementName}' to '${options.to}'`;
  events.add(slice.name, `migration-${outcome}`, error === undefined ? summary : `${summary}: ${error}`);
  return {
    slice: slice.name,
    vn: vn.name,
    from: old.record.placementName,
    to: options.to,
    control: options.control,
    schedule: options.schedule,
    urpf: options.urpf,
    outcome,
    durationMs: phases.list().reduce((sum, phase) => sum + phase.ms, 0),
    phases: phases.list(),
    moves: vn.routers.map((router) => ({
      router,
      from: old.instance.placement.get(router)!,
      to: placement.get(router)!,
    })),
    redirections,
    flows,
    interrupted: context.signal?.aborted === true && outcome !== 'completed',
    ...(error === undefined ? {} : { error }),
  };
}

/** An instant by `performance.now`. */
async function sleepUntil(atMs: number): Promise<void> {
  await sleep(Math.max(0, atMs - performance.now()));
}
