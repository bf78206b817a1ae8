import { messageOf, VnmError } from '../model/errors.ts';
import { isSamePlacement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { InstanceRecord } from '../store/instances.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { methodOf, movesRouters, usualMethod } from './base/phase.ts';
import { activeInstance, choosePlacement, edgeNodes, isOn, refuseUnfinished } from './base/resolve.ts';
import { carryOut } from './migration/carry-out.ts';
import { chooseUrpf } from './migration/choose-urpf.ts';
import { examine } from './migration/examine.ts';
import { optionsToJson } from './migration/journal.ts';
import { methodNamed } from './migration/methods/index.ts';
import { recordStart, startPhases } from './migration/phases.ts';
import { addInstance } from './migration/prepare.ts';
import { unchanged } from './migration/result.ts';
import { isGated, type MigrateOptions, type MigrateResult, type Recorded, type Run } from './migration/types.ts';
import { destinationOf, moveRouters } from './move-routers.ts';
import { isUnreachable, requireNodes, withReachable } from './nodes/agents.ts';
import { refuseOneMachine, requireRoom } from './nodes/room-on-nodes.ts';
import { resume, rollback } from './recover.ts';

export type { MigrateOptions, MigrateResult } from './migration/types.ts';

/**
 * Moves a VN to another placement: the paper's six steps (section III-D).
 *
 *     add nodes -> set up -> clone -> join gateways -> prove -> measure -> redirect -> verify -> drain -> retire
 *                     \________\___________\____________\_________\___________\_________\              completed
 *                                                                                  -> roll back
 *                                                                                     rolled-back | failed
 *
 * A failure before the redirection removes the new instance; after it, the gateways are redirected back first. The
 * journal records an interrupted migration (migration/journal.ts). Nodes that only the old placement uses may be
 * unreachable: the new routers are then made from the record. The outcome is `unchanged` when the VN is on that
 * placement already, under whatever name. Throws only before anything was changed.
 */
export async function migrate(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  refuseOptions(slice, vn, options);
  const command = `migrate --to ${options.to}`;
  if (options.resumeFirst === true) {
    const before = await finishInterrupted(context, slice, vn);
    const isThere = before?.outcome === 'completed' && isOn(context.store, slice, vn, options.to) && !isSingle(options);
    if (before !== undefined && (isThere || before.outcome === 'failed' || before.interrupted)) return before;
  }
  const { method } = options;
  return withLock(context, { slice: slice.name, vn: vn.name, command }, (locked) =>
    movesRouters(method)
      ? moveRouters(locked, slice, vn, { ...options, method })
      : migrateLocked(locked, slice, vn, options),
  );
}

const isSingle = ({ router }: MigrateOptions) => router !== undefined;

/** Throws VnmError if the slice, or the method, does not have what the options say. Contacts no node. */
export function refuseOptions(slice: Slice, vn: VirtualNetwork, options: MigrateOptions): void {
  methodNamed(options.method).refuse(options);
  if (isSingle(options) && !movesRouters(options.method)) {
    throw new VnmError('usage', `method ${options.method ?? usualMethod} moves all routers of a VN`, {
      hint: 'add --method vroom to move one router, flow for a switch, or clone or live for a virtual machine',
    });
  }
  // Every placement has the same routers.
  destinationOf(slice, vn, vn.placements.values().next().value!, options);
}

/**
 * Finishes an interrupted migration. Returns undefined if there was none, or only a trial instance that is now removed.
 */
async function finishInterrupted(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
): Promise<MigrateResult | undefined> {
  const { migrations, instances } = context.store;
  if (migrations.unfinished(slice.name, vn.name).length > 0) {
    return resume(context, slice, vn).catch((error: unknown) => {
      if (isUnreachable(error) && movesLeft(context.store, slice, vn) !== undefined) return undefined;
      throw error;
    });
  }
  const isTrial = ({ state }: InstanceRecord) => state !== 'active';
  if (instances.list({ slice: slice.name, vn: vn.name }).some(isTrial)) await rollback(context, slice, vn);
  return undefined;
}

/**
 * Returns the unfinished migration that moves routers one after the other, if none is on two nodes: then the VN is
 * complete where it is, and a whole new instance can take its place.
 */
function movesLeft({ migrations, instances }: Store, slice: Slice, vn: VirtualNetwork): MigrationRecord | undefined {
  const record = migrations.unfinished(slice.name, vn.name).at(-1);
  const active = instances.active(slice.name, vn.name);
  if (record === undefined || active === undefined || !movesRouters(methodOf(record))) return undefined;
  return instances.plan(active.id).moving === undefined ? record : undefined;
}

async function migrateLocked(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const to = { name: options.to, placement: choosePlacement(vn, options.to) };
  const left = options.resumeFirst === true ? movesLeft(context.store, slice, vn) : undefined;
  if (left === undefined) {
    const orElse = `; or run pl-vnm migrate ${slice.name} --to ${options.to} --resume-first`;
    refuseUnfinished(context.store, slice, vn, orElse);
  }
  if (isSamePlacement(old.instance.placement, to.placement)) return unchanged(context, slice, vn, options);
  const { mtu, urpf: urpfBefore } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...routerNodes(old.instance), ...to.placement.values()];
  context.report({ kind: 'phase', text: 'add nodes' });
  const startedAt = performance.now();
  return withReachable(context, slice, nodes, async (agents) => {
    requireNodes(agents, [...edgeNodes(vn), ...to.placement.values()]);
    refuseOneMachine(agents);
    requireRoom(context, agents, [{ vn, placement: to.placement }]);
    const urpf = chooseUrpf(context, agents, vn, options.urpf);
    const gated = isGated(options);
    methodNamed(options.method).refuseOn(agents, vn, options);
    const command = `migrate ${slice.name} --to ${options.to}`;
    const plan = planVn(slice, vn);
    const baseline = await examine({ ...plan, context, agents, old, mtu }, command, options);
    const id = context.store.migrations.start({
      slice: slice.name,
      vn: vn.name,
      from: old.record.placementName,
      to: options.to,
      fromNodes: Object.fromEntries(old.instance.placement),
      toNodes: Object.fromEntries(to.placement),
      control: options.control,
      schedule: options.schedule,
      urpf,
      options: optionsToJson(options),
      urpfBefore,
      oldInstance: old.record.id,
    });
    // Until its instance is gone it can still be continued.
    if (left !== undefined) context.store.migrations.finish(left.id, 'failed', Date.now(), 'another migration follows');
    recordStart(context, id);
    const phases = startPhases(context, id, { name: 'add nodes', ms: performance.now() - startedAt });
    const run = { ...plan, context, agents, names: agents, old, to, urpf, gated, mtu, phases, id };
    context.store.migrations.progress(id, { baseline });
    return carryOut(run, addFirst(run), options, urpfBefore, 'prepare');
  });
}

/** Adds the new instance. If there is no room for it, the migration ends here as rolled back. */
function addFirst(run: Run & { readonly id: number }): Recorded {
  try {
    return addInstance(run);
  } catch (error) {
    run.context.store.migrations.finish(run.id, 'rolled-back', Date.now(), messageOf(error));
    throw error;
  }
}
