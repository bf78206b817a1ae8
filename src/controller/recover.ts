/** Goes on with a migration that was interrupted: `resume` finishes it, `rollback` undoes it (migration/journal.ts). */
import { VnmError } from '../model/errors.ts';
import { routerNames } from '../model/router.ts';
import { namesPlacement, type Placement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { InstanceRecord } from '../store/instances.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { stageOf } from './base/phase.ts';
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
import { recordYardstick } from './migration/proof.ts';
import { recordResult, unchanged } from './migration/result.ts';
import { isGated, type MigrateResult, type Recorded, type Run } from './migration/types.ts';
import { applyAll, requireNodes, withReachable } from './nodes/agents.ts';

/**
 * Finishes an interrupted migration from where it was. Before the redirection it prepares again, since the old routers may have
 * learnt since; after it, it first brings every gateway to the new instance. `unchanged` when nothing was interrupted. Throws
 * VnmError `not-found` when the VN is not installed, `unreachable` while a node that it needs is unreachable, as in `migrate`; then nothing
 * is changed.
 */
export async function resume(context: Context, slice: Slice, vn: VirtualNetwork): Promise<MigrateResult> {
  return withLock(context, { slice: slice.name, vn: vn.name, command: 'resume' }, async (locked) => {
    const record = unfinishedMigration(context.store, slice.name, vn.name);
    if (record === undefined) return unchanged(context, slice, vn, usualOptions);
    const stage = stageOf(record);
    return withMigration(locked, slice, vn, record, async (run, fresh) => {
      const options = { ...optionsOf(record), traffic: false };
      if (stage === 'retiring') {
        requireNodes(run.agents, run.to.placement.values());
        // Gone from the database only when nothing of it is left.
        if (run.old === undefined)
          return recordResult({ ...run, old: fresh! }, options, 'completed', [], [], undefined);
        return carryOut({ ...run, old: run.old }, fresh!, options, record.urpfBefore, 'retire');
      }
      const whole = { ...run, old: run.old! };
      requireNodes(run.agents, [...edgeNodes(vn), ...run.to.placement.values()]);
      if (stage === 'before') {
        await repairDamage(whole);
        await recordYardstick(whole);
      }
      if (stage === 'before' && fresh !== undefined) await clear(whole, fresh);
      return carryOut(whole, fresh ?? addInstance(whole), options, record.urpfBefore, resumeFrom(stage));
    });
  });
}

/**
 * Undoes an interrupted migration; also takes an instance away that an interrupted `plan` left. `unchanged` when there is neither.
 * Throws VnmError `not-found` when the VN is not installed, `conflict` once the old instance is being taken down, `unreachable` while a gateway is unreachable.
 */
export async function rollback(context: Context, slice: Slice, vn: VirtualNetwork): Promise<MigrateResult | undefined> {
  return withLock(context, { slice: slice.name, vn: vn.name, command: 'rollback' }, async (locked) => {
    const left = context.store.instances
      .list({ slice: slice.name, vn: vn.name })
      .filter(({ state }) => state !== 'active');
    if (context.store.migrations.unfinished(slice.name, vn.name).length === 0 && left.length > 0) {
      refuseHalf(context, slice, vn);
      await removeTrials(locked, slice, vn, left);
      return undefined;
    }
    const record = unfinishedMigration(context.store, slice.name, vn.name);
    if (record === undefined) return unchanged(context, slice, vn, usualOptions);
    refuseRetired(record);
    return withMigration(locked, slice, vn, record, async (run, fresh) => {
      const options = { ...optionsOf(record), traffic: false };
      const stopped = new VnmError('rolled-back', `it was interrupted (${record.state})`);
      const whole = { ...run, old: run.old! };
      const stage = stageOf(record);
      if (stage === 'redirecting') {
        // What was away from the start is not needed for what was before.
        const dead = record.fromRecord ?? [];
        const { placement } = whole.old.instance;
        const routers = routerNames(vn).filter((router) => !dead.includes(router));
        requireNodes(run.agents, [
          ...vn.gateways.map(({ node }) => node),
          ...routers.map((router) => placement.get(router)!),
        ]);
      }
      if (fresh === undefined) return recordResult(whole, options, 'rolled-back', [], [], stopped);
      return carryOut(whole, fresh, options, record.urpfBefore, undoFrom(stage), stopped);
    });
  });
}

/** As far as the database knows them: an instance is forgotten when nothing of it is left. */
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
  // It may have been added just before the journal could say so.
  const fresh = recorded(
    all.find(({ id }) => (record.newInstance === null ? id !== record.oldInstance : id === record.newInstance)),
  );
  const placement = fresh?.instance.placement ?? destinationOf(vn, record);
  // The slice file may have another placement of that name now.
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

/** Records that an earlier version of the program wrote have only the name. */
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

/** What an earlier attempt made of the new instance may be out of date: remove it, to make it again. */
async function clear(run: Run, fresh: Recorded): Promise<void> {
  const { instance } = run.old;
  await applyAll(run.agents, mergeBatches(setGroups(run, [instance], instance), tearDownInstance(run, fresh.instance)));
}

function refuseHalf({ store }: Context, slice: Slice, vn: VirtualNetwork): void {
  if (store.instances.active(slice.name, vn.name) !== undefined) return;
  throw new VnmError('conflict', `VN '${vn.name}' of slice '${slice.name}' is half installed, or half taken down`, {
    hint: installOrUninstall(slice),
  });
}

function refuseRetired(migration: MigrationRecord): void {
  if (stageOf(migration) !== 'retiring') return;
  const { slice } = migration;
  const { from, to } = endsOf(migration);
  throw new VnmError('conflict', `the old instance on ${from} is being taken down already, all traffic is on ${to}`, {
    hint: `pl-vnm resume ${slice} finishes it; then migrate back`,
  });
}
