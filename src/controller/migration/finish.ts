/** Step 6 of a migration (the paper, section III-D), and the rollback. Unreachable nodes stop neither. */

import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { Baseline } from '../../store/migrations.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import { edgeNodes } from '../base/resolve.ts';
import { mergeBatches } from '../batches/batches.ts';
import { desiredBatches } from '../batches/desired.ts';
import { removeGates } from '../batches/gates.ts';
import { setGroups, setUrpf } from '../batches/gateways.ts';
import { tearDownInstance } from '../batches/routers.ts';
import { applyAll, applyWhereReachable } from '../nodes/agents.ts';
import { brokenPairs, type PairResult } from '../probe/verify-vn.ts';
import { baselineOf } from './journal.ts';
import { isBetter, namesOf, type Pair, proveEndHosts } from './proof.ts';
import type { Recorded, Run } from './types.ts';

/** Added to the longest old latency before the old instance is taken down. */
const drainMarginMs = 250;
const armedPollMs = 50;

/**
 * Proves that the end hosts reach each other over the new instance, as far as they did before. Returns the pairs that
 * could not be proven. From the redirection on no signal stops a migration. Throws VnmError `failed` if pairs fail and
 * the new instance is not better than the old one.
 */
export async function confirm(run: Run, fresh: Instance): Promise<Pair[]> {
  run.phases.begin('verify');
  const { excused, failed } = await proveEndHosts(run, fresh, baselineOfRun(run));
  if (failed.length > 0 && !(await isBetter(run, fresh, run.old.instance, failed))) {
    throw new VnmError('failed', `after the redirection, no packet arrived from ${brokenPairs(failed)}`);
  }
  return reportUnproven(run, 'after the redirection', [...excused, ...failed]);
}

function baselineOfRun({ context, id }: Run): Baseline {
  const record = id === undefined ? undefined : context.store.migrations.find(id);
  return record === undefined ? { unproven: [] } : baselineOf(record);
}

export function reportUnproven({ context, slice }: Run, when: string, pairs: readonly PairResult[]): Pair[] {
  if (pairs.length === 0) return [];
  const names = pairs.map(({ from, to }) => ({ from, to }));
  const text = `${when}, reachability not proven: ${namesOf(names)}; run pl-vnm doctor ${slice.name} to find obstacles`;
  context.report({ kind: 'note', text });
  writeIfPossible(context, () => context.store.events.add(slice.name, 'unproven', text));
  return names;
}

function requireGateways({ agents, vn }: Run): void {
  const missing = vn.gateways.filter(({ node }) => agents.missing.has(node));
  if (missing.length === 0) return;
  const names = missing.map(({ name, node }) => `gateway ${name} (node '${node}')`).join(', ');
  throw new VnmError('unreachable', `${names} cannot be reached and may send into the new instance, so both stay up`);
}

/**
 * Makes the new instance the active one. Takes the old one down once nothing can be in flight on it (`drainMs` after
 * the redirections). Throws if that cannot be recorded.
 */
export async function retire(run: Run, fresh: Recorded, drainMs: number): Promise<void> {
  const { context, agents, slice, vn, old, urpf, mtu, phases, id } = run;
  const { instances, migrations } = context.store;
  // If `retire` had begun before an interruption, `drain` must not begin again: from `drain` one could roll back.
  const isBegun = id !== undefined && migrations.find(id)?.state === 'retire';
  if (!isBegun) phases.begin('drain');
  if (instances.active(slice.name, vn.name)?.id !== fresh.record.id) instances.activate(fresh.record.id, old.record.id);
  const isSet = writeIfPossible(context, () => instances.setSettings(slice.name, vn.name, { mtu, urpf }));
  if (!isBegun) await sleep(Math.max(0, drainMs) + drainMarginMs);
  phases.begin('retire');
  const left = await applyWhereReachable(
    agents,
    mergeBatches(
      run.gated ? removeGates(run) : new Map(),
      setGroups(run, [fresh.instance], fresh.instance),
      tearDownInstance(run, old.instance),
    ),
    agents.givenUp,
  );
  reportLeftOver(run, left);
  // While the old instance is in the database, `resume` can finish what could not be recorded.
  if (!isSet || !writeIfPossible(context, () => instances.remove(old.record.id))) throw notRecorded();
}

/** Checks that every gateway can report what it did. Throws VnmError `unreachable` if an edge node is unreachable. */
export async function findGateways(run: Run): Promise<void> {
  const { context, agents, vn } = run;
  await agents
    .check(edgeNodes(vn))
    .then(() => agents.revive(edgeNodes(vn)))
    .catch((error: unknown) => context.report({ kind: 'note', text: messageOf(error) }));
  const missing = unreachableEdges(run);
  if (missing.length === 0) return;
  const text = `node '${missing.join("', '")}' cannot be reached`;
  writeIfPossible(context, () => context.store.events.add(run.slice.name, 'redirection-uncertain', text));
  throw new VnmError('unreachable', text);
}

/**
 * Disarms every gateway and redirects it into the old instance; packets in flight on the new one (`drainMs`) are still
 * accepted. Returns the pairs of end hosts that were not proven to reach each other afterwards. The old instance need
 * not carry what it did not carry before. Throws while a gateway that may have redirected is unreachable, and if the
 * new instance carries traffic that the old one does not (the gateways then send into the new one again).
 */
export async function sendBack(run: Run, fresh: Recorded, drainMs: number): Promise<readonly Pair[]> {
  const { agents, slice, vn, old, phases, context } = run;
  phases.begin('roll back');
  await agents.revive(edgeNodes(vn));
  await disarmAll(run);
  const back = setGroups(run, [old.instance, fresh.instance], old.instance);
  await applyWhereReachable(agents, mergeBatches(back, run.gated ? removeGates(run) : new Map()));
  await sleep(drainMs + drainMarginMs);
  requireGateways(run);
  const unproven = await confirmOld(run, fresh.instance);
  const { instances } = context.store;
  if (instances.active(slice.name, vn.name)?.id !== old.record.id) instances.activate(old.record.id, fresh.record.id);
  return unproven;
}

/**
 * Removes the new instance, which no gateway uses any more. `urpf`: the mode before the migration. Throws if that
 * cannot be recorded.
 */
export async function removeNew(run: Run, fresh: Recorded, urpf: UrpfMode): Promise<void> {
  const { agents, slice, vn, old, phases, context } = run;
  const { instances } = context.store;
  phases.begin('remove the new instance');
  writeIfPossible(context, () => instances.setState(fresh.record.id, 'removing'));
  await agents.revive(edgeNodes(vn));
  const isSet = writeIfPossible(context, () => instances.setSettings(slice.name, vn.name, { mtu: run.mtu, urpf }));
  const before = { ...run, urpf };
  const left = await applyWhereReachable(
    agents,
    mergeBatches(
      run.gated ? removeGates(run) : new Map(),
      setUrpf(before, old.instance),
      setGroups(before, [old.instance], old.instance),
    ),
  );
  await tearDownFresh(run, fresh, left);
  if (!isSet || !writeIfPossible(context, () => instances.remove(fresh.record.id))) throw notRecorded();
}

/** Reports that the rollback has failed: what is left of the new instance stays, and so does the journal's phase. */
export function reportIncompleteRollback({ context, slice }: Run, error: unknown): void {
  writeIfPossible(context, () => context.store.events.add(slice.name, 'rollback-incomplete', messageOf(error)));
  context.report({ kind: 'note', text: `the rollback is incomplete: ${messageOf(error)}` });
}

/** The error for work that was done on the nodes, but could not be recorded. */
export function notRecorded(): VnmError {
  return new VnmError('failed', 'the outcome could not be recorded completely');
}

/**
 * Proves that the end hosts reach each other over the old instance, as far as they did before. If they do not, first
 * repairs what was removed or changed there, which `reconcile` does not do while a migration is unfinished. Reports and
 * returns what is still not proven; that stops nothing, unless the new instance is better: then the gateways send into
 * it again.
 */
async function confirmOld(run: Run, fresh: Instance): Promise<Pair[]> {
  const { context, vn, old } = run;
  const baseline = baselineOfRun(run);
  // An earlier version did not prove pairs that need a router whose node was unreachable.
  const dead = baseline.byEcho === undefined ? deadBefore(run) : [];
  const isSelected = (from: string, to: string) =>
    !routersBetween(vn, from, to).some((router) => dead.includes(router));
  const prove = (locate = true) => proveEndHosts(run, old.instance, baseline, { isSelected, locate });
  const when = 'back on the old instance';
  let proof = await prove();
  if (proof.failed.length > 0) {
    const text = `${when}, no packet arrived from ${brokenPairs(proof.failed)}; repairing the old instance`;
    context.report({ kind: 'note', text });
    await repairOld(run);
    proof = await prove(false);
  }
  const { excused, failed } = proof;
  if (failed.length > 0 && (await isBetter(run, fresh, old.instance, failed))) {
    await redirectAll(run, fresh);
    const text = `${when}, no packet arrived from ${namesOf(failed)}, unlike on the new one, so the gateways send into the new one again`;
    throw new VnmError('failed', `${text}; run pl-vnm resume ${run.slice.name} to finish the migration`);
  }
  return reportUnproven(run, when, [...excused, ...failed]);
}

async function repairOld(run: Run): Promise<void> {
  const { context, agents, old } = run;
  const instances = [{ instance: old.instance, routes: context.store.instances.routes(old.record.id) }];
  const batches = desiredBatches(run, { instances, active: old.instance });
  await Promise.all(
    [...batches].map(async ([node, operations]) => {
      if (agents.missing.has(node)) return;
      await agents.get(node).call('apply', { operations, repair: true });
    }),
  );
}

/** The routers of the old instance whose node was unreachable when they were to be cloned. */
function deadBefore({ context, id }: Run): readonly string[] {
  const dead = (id === undefined ? undefined : context.store.migrations.find(id)?.fromRecord) ?? [];
  if (dead.length > 0) {
    const text = `the old instance was without router ${dead.join(', ')} before: pairs that need it are not verified`;
    context.report({ kind: 'note', text });
  }
  return dead;
}

type Surroundings = Pick<Run, keyof VnPlan | 'context' | 'agents' | 'names'>;

/** Removes the new instance from the nodes and the database. No gateway may send into it any more. */
export async function removeFresh(run: Surroundings, fresh: Recorded): Promise<void> {
  await tearDownFresh(run, fresh, []);
  run.context.store.instances.remove(fresh.record.id);
}

/** Takes down the new instance, the gateways' links first. `before`: nodes already found unreachable. */
async function tearDownFresh(run: Surroundings, fresh: Recorded, before: readonly string[]): Promise<void> {
  const left = await applyWhereReachable(run.agents, tearDownInstance(run, fresh.instance));
  reportLeftOver(run, [...before, ...left]);
}

/** Redirects every gateway into the new instance at once; those that already send into it stay as they are. */
export async function redirectAll(run: Run, fresh: Instance): Promise<void> {
  const groups = setGroups(run, [run.old.instance, fresh], fresh);
  await disarmAll(run);
  await applyAll(run.agents, mergeBatches(groups, run.gated ? removeGates(run) : new Map()));
}

/** The unreachable edge nodes: without them the controller cannot know where traffic goes. */
export function unreachableEdges({ agents, vn }: Run): string[] {
  return [...new Set(edgeNodes(vn))].filter((node) => agents.missing.has(node));
}

/** Cancels what is still armed for this migration at the reachable gateways, and waits for what has begun. */
async function disarmAll({ context, agents, vn, id }: Run): Promise<void> {
  const armedId = id === undefined ? null : (context.store.migrations.find(id)?.armedId ?? null);
  if (armedId === null) return;
  await Promise.all(
    vn.gateways
      .filter(({ node }) => !agents.missing.has(node))
      .map(async ({ node }) => {
        try {
          const timeoutMs = agents.get(node).limits.questionMs;
          await agents.get(node).call('cancel', { id: armedId }, { timeoutMs });
          for (const startMs = performance.now(); performance.now() - startMs < timeoutMs; ) {
            const { state } = await agents.get(node).call('armed_results', { id: armedId }, { timeoutMs });
            if (state !== 'armed') return;
            await sleep(armedPollMs);
          }
        } catch (error) {
          // It is not armed, or is unreachable now.
          if (!(error instanceof VnmError) || !['not-found', 'unreachable', 'timeout'].includes(error.code))
            throw error;
        }
      }),
  );
}

export function reportLeftOver({ context, slice }: Pick<Run, 'context' | 'slice'>, nodes: readonly NodeName[]): void {
  if (nodes.length === 0) return;
  const names = [...new Set(nodes)].join("', '");
  const text = `node '${names}' cannot be reached, so leftovers stay there; run pl-vnm reconcile ${slice.name} later to remove them`;
  context.report({ kind: 'note', text });
  writeIfPossible(context, () => context.store.events.add(slice.name, 'left-over', text));
}
