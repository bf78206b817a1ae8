/** Recovers an interrupted migration: `resume` finishes it, `rollback` undoes it (migration/journal.ts). */
import { VnmError } from '../model/errors.ts';
import { routerNames } from '../model/router.ts';
import { namesPlacement, type Placement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { InstanceRecord } from '../store/instances.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { methodOf, movesRouters, stageOf } from './base/phase.ts';
import { choosePlacement, edgeNodes, installOrUninstall } from './base/resolve.ts';
import { endsOf } from './base/unfinished.ts';
import { type Layout, mergeBatches } from './batches/batches.ts';
import { setGroups } from './batches/gateways.ts';
import { tearDownInstance } from './batches/routers.ts';
import { carryOut } from './migration/carry-out.ts';
import { repairDamage } from './migration/damage.ts';
import { removeFresh } from './migration/finish.ts';
import { optionsOf, unfinishedMigration } from './migration/journal.ts';
import { resumeFrom, undoFrom } from './migration/machine.ts';
import { usualOptions } from './migration/options.ts';
import { startPhases } from './migration/phases.ts';
import { addInstance } from './migration/prepare.ts';
import { recordBaseline } from './migration/proof.ts';
import { recordResult, unchanged } from './migration/result.ts';
import { isGated, type MigrateResult, type Recorded, type Run } from './migration/types.ts';
import { continueMoves } from './move-routers.ts';
import { applyAll, requireNodes, withReachable } from './nodes/agents.ts';

/**
 * Finishes an interrupted migration from the stage it is in. Before the redirection, it prepares again, since the old
 * routers may have new routes; after it, it first brings every gateway to the new instance. The outcome is `unchanged`
 * when nothing was interrupted. Throws VnmError `not-found` when the VN is not installed, and, as `migrate`,
 * `unreachable` while a node that it needs is unreachable; then it has changed nothing.
 */
export async function resume(context: Context, slice: Slice, vn: VirtualNetwork): Promise<MigrateResult> {
  return withLock(context, { slice: slice.name, vn: vn.name, command: 'resume' }, async (locked) => {
    const record = unfinishedMigration(context.store, slice.name, vn.name);
    if (record === undefined) return unchanged(context, slice, vn, usualOptions);
    if (movesRouters(methodOf(record))) return continueMoves(locked, slice, vn, record, 'forth');
    const stage = stageOf(record);
    return withMigration(locked, slice, vn, record, async (run, fresh) => {
      const options = { ...optionsOf(record), traffic: false };
      if (stage === 'retiring') {
        requireNodes(run.agents, run.to.placement.values());
        // The old instance leaves the database only when nothing of it is left.
        if (run.old === undefined) return recordResult({ ...run, old: fresh! }, options, 'completed', {});
        return carryOut({ ...run, old: run.old }, fresh!, options, record.urpfBefore, 'retire');
      }
      const whole = { ...run, old: run.old! };
      requireNodes(run.agents, [...edgeNodes(vn), ...run.to.placement.values()]);
      if (stage === 'before') {
        await repairDamage(whole);
        await recordBaseline(whole);
      }
      if (stage === 'before' && fresh !== undefined) await clear(whole, fresh);
      return carryOut(whole, fresh ?? addInstance(whole), options, record.urpfBefore, resumeFrom(stage));
    });
  });
}

/**
 * Undoes an interrupted migration; also removes the trial instance that an interrupted `plan` left behind, and then
 * returns undefined. The outcome is `unchanged` when there is neither. Throws VnmError `not-found` when the VN is not
 * installed, `conflict` once the old instance is being taken down, `unreachable` while a gateway is unreachable.
 */
export async function rollback(context: Context, slice: Slice, vn: VirtualNetwork): Promise<MigrateResult | undefined> {
  return withLock(context, { slice: slice.name, vn: vn.name, command: 'rollback' }, async (locked) => {
    const left = context.store.instances
      .list({ slice: slice.name, vn: vn.name })
      .filter(({ state }) => state !== 'active');
    if (context.store.migrations.unfinished(slice.name, vn.name).length === 0 && left.length > 0) {
      refuseIncomplete(context, slice, vn);
      await removeTrials(locked, slice, vn, left);
      return undefined;
    }
    const record = unfinishedMigration(context.store, slice.name, vn.name);
    if (record === undefined) return unchanged(context, slice, vn, usualOptions);
    if (movesRouters(methodOf(record))) return continueMoves(locked, slice, vn, record, 'back');
    refuseRetired(record);
    return withMigration(locked, slice, vn, record, async (run, fresh) => {
      const options = { ...optionsOf(record), traffic: false };
      const stopped = new VnmError('rolled-back', `it was interrupted (${record.state})`);
      const whole = { ...run, old: run.old! };
      const stage = stageOf(record);
      if (stage === 'redirecting') {
        // The old state does not need the routers whose nodes were unreachable from the start.
        const dead = record.fromRecord ?? [];
        const { placement } = whole.old.instance;
        const routers = routerNames(vn).filter((router) => !dead.includes(router));
        requireNodes(run.agents, [
          ...vn.gateways.map(({ node }) => node),
          ...routers.map((router) => placement.get(router)!),
        ]);
      }
      if (fresh === undefined) return recordResult(whole, options, 'rolled-back', { failure: stopped });
      return carryOut(whole, fresh, options, record.urpfBefore, undoFrom(stage), stopped);
    });
  });
}

/** A run whose old instance may have left the database: it does when nothing of it is left on the nodes. */
type Found = Omit<Run, 'old'> & { readonly old: Recorded | undefined };

async function withMigration<T>(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  record: MigrationRecord,
  body: (run: Found, fresh: Recorded | undefined) => Promise<T>,
): Promise<T> {
  const { instances } = context.store;
  const all = instances.list({ slice: slice.name, vn: vn.name });
  const recorded = (one: InstanceRecord | undefined): Recorded | undefined =>
    one === undefined ? undefined : { record: one, instance: instances.plan(one.id) };
  const old = recorded(all.find(({ id }) => id === record.oldInstance));
  // The new instance may have been added just before the journal could record it.
  const fresh = recorded(
    all.find(({ id }) => (record.newInstance === null ? id !== record.oldInstance : id === record.newInstance)),
  );
  const placement = fresh?.instance.placement ?? destinationOf(vn, record);
  // The slice file may now have another placement of that name.
  const to = { name: namesPlacement(vn, record.to, placement) ? record.to : null, placement };
  const nodes = [
    ...edgeNodes(vn),
    ...to.placement.values(),
    ...[old, fresh].flatMap((one) => (one === undefined ? [] : routerNodes(one.instance))),
  ];
  const { mtu } = instances.settings(slice.name, vn.name)!;
  context.report({ kind: 'phase', text: `connect to ${new Set(nodes).size} nodes` });
  return withReachable(context, slice, nodes, (agents) => {
    const phases = startPhases(context, record.id);
    const gated = isGated(optionsOf(record));
    const layout: Layout = { ...planVn(slice, vn), names: agents, mtu, urpf: record.urpf };
    return body({ ...layout, context, agents, old, to, gated, phases, id: record.id }, fresh);
  });
}

/** Records of earlier versions of the program have only the placement's name. */
function destinationOf(vn: VirtualNetwork, { to, toNodes }: MigrationRecord): Placement {
  return toNodes === null ? choosePlacement(vn, to!) : new Map(Object.entries(toNodes));
}

async function removeTrials(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  records: readonly InstanceRecord[],
): Promise<void> {
  const { instances, events } = context.store;
  const plans = records.map((record): Recorded => ({ record, instance: instances.plan(record.id) }));
  const nodes = [...edgeNodes(vn), ...plans.flatMap(({ instance }) => routerNodes(instance))];
  await withReachable(context, slice, nodes, async (agents) => {
    requireNodes(agents, nodes);
    const surroundings = { ...planVn(slice, vn), context, agents, names: agents };
    for (const fresh of plans) await removeFresh(surroundings, fresh);
  });
  events.add(slice.name, 'trial-removed', `VN '${vn.name}'`);
}

/** Removes the new instance of an earlier attempt, which may be out of date, so that it can be made again. */
async function clear(run: Run, fresh: Recorded): Promise<void> {
  const { instance } = run.old;
  await applyAll(run.agents, mergeBatches(setGroups(run, [instance], instance), tearDownInstance(run, fresh.instance)));
}

function refuseIncomplete({ store }: Context, slice: Slice, vn: VirtualNetwork): void {
  if (store.instances.active(slice.name, vn.name) !== undefined) return;
  throw new VnmError(
    'conflict',
    `VN '${vn.name}' of slice '${slice.name}' is only partly installed or partly removed`,
    {
      hint: installOrUninstall(slice),
    },
  );
}

function refuseRetired(migration: MigrationRecord): void {
  if (stageOf(migration) !== 'retiring') return;
  const { slice } = migration;
  const { from, to } = endsOf(migration);
  throw new VnmError('conflict', `the old instance on ${from} is already being taken down; all traffic is on ${to}`, {
    hint: `run pl-vnm resume ${slice} to finish the migration, then migrate back`,
  });
}
