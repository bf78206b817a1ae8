/** Step 6 of a migration (the paper, section III-D), and the way back. Nodes that are unreachable do not stop either. */

import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { Yardstick } from '../../store/migrations.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import { edgeNodes } from '../base/resolve.ts';
import { mergeBatches } from '../batches/batches.ts';
import { desiredBatches } from '../batches/desired.ts';
import { removeGates } from '../batches/gates.ts';
import { setGroups, setUrpf } from '../batches/gateways.ts';
import { tearDownInstance } from '../batches/routers.ts';
import { applyAll, applyWhereReachable } from '../nodes/agents.ts';
import { brokenPairs, type PairResult } from '../probe/verify-vn.ts';
import { yardstickOf } from './journal.ts';
import { isBetter, namesOf, type Pair, proveEndHosts } from './proof.ts';
import type { Recorded, Run } from './types.ts';

/** Added to the longest old latency before the old instance goes. */
const drainMarginMs = 250;
const armedPollMs = 50;

/**
 * The end hosts reach each other over the new instance, as far as they did before. Answers the pairs that could not be proven. From
 * the redirection on no signal stops a migration. Throws VnmError `failed` where the new instance is not better than the old one.
 */
export async function confirm(run: Run, fresh: Instance): Promise<Pair[]> {
  run.phases.begin('verify');
  const { excused, failed } = await proveEndHosts(run, fresh, yardstickBefore(run));
  if (failed.length > 0 && !(await isBetter(run, fresh, run.old.instance, failed))) {
    throw new VnmError('failed', `after the redirection no packet came from ${brokenPairs(failed)}`);
  }
  return tellUnproven(run, 'after the redirection', [...excused, ...failed]);
}

function yardstickBefore({ context, id }: Run): Yardstick {
  const record = id === undefined ? undefined : context.store.migrations.find(id);
  return record === undefined ? { unproven: [] } : yardstickOf(record);
}

function tellUnproven({ context, slice }: Run, when: string, pairs: readonly PairResult[]): Pair[] {
  if (pairs.length === 0) return [];
  const names = pairs.map(({ from, to }) => ({ from, to }));
  const text = `${when} not proven to reach each other: ${namesOf(names)}; pl-vnm doctor ${slice.name} says what may be in the way`;
  context.report({ kind: 'note', text });
  writeIfPossible(context, () => context.store.events.add(slice.name, 'unproven', text));
  return names;
}

function requireGateways({ agents, vn }: Run): void {
  const away = vn.gateways.filter(({ node }) => agents.missing.has(node));
  if (away.length === 0) return;
  const names = away.map(({ name, node }) => `gateway ${name} (node '${node}')`).join(', ');
  throw new VnmError('unreachable', `${names} cannot be reached and may send into the new instance, so both stay up`);
}

/**
 * The new instance is the VN now. The old one goes once nothing can be in flight on it (`drainMs` after the redirections). Throws where
 * that cannot be recorded.
 */
export async function retire(run: Run, fresh: Recorded, drainMs: number): Promise<void> {
  const { context, agents, slice, vn, old, urpf, mtu, phases, id } = run;
  const { instances, migrations } = context.store;
  // What was begun before it was interrupted is not gone back on: from `drain` one could still roll back.
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
  tellOfLeft(run, left);
  // While it is in the database, `resume` can end what could not be recorded.
  if (!isSet || !writeIfPossible(context, () => instances.remove(old.record.id))) throw notRecorded();
}

/** Whether every gateway can be asked what it did. Throws VnmError `unreachable` where an edge node is unreachable. */
export async function findGateways(run: Run): Promise<void> {
  const { context, agents, vn } = run;
  await agents
    .check(edgeNodes(vn))
    .then(() => agents.revive(edgeNodes(vn)))
    .catch((error: unknown) => context.report({ kind: 'note', text: messageOf(error) }));
  const away = edgesAway(run);
  if (away.length === 0) return;
  const text = `node '${away.join("', '")}' cannot be reached`;
  writeIfPossible(context, () => context.store.events.add(run.slice.name, 'redirection-uncertain', text));
  throw new VnmError('unreachable', text);
}

/**
 * Every gateway into the old instance: what is armed is disarmed, and what is under way on the new one (`drainMs`) is still accepted.
 * Answers the pairs of end hosts that were not seen to reach each other afterwards. Throws while a gateway that may have redirected is
 * away, and where the new instance carries traffic that the old one does not (the gateways then send into the new one again). What the
 * old one did not carry before, it need not afterwards.
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

/** The new instance goes; no gateway uses it. `urpf`: the mode that was before. Throws where its end cannot be recorded. */
export async function takeAway(run: Run, fresh: Recorded, urpf: UrpfMode): Promise<void> {
  const { agents, slice, vn, old, phases, context } = run;
  const { instances } = context.store;
  phases.begin('take the new instance away');
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

/** The way back has stopped: what is still there of the new instance stays, and so does the journal's phase. */
export function leaveNew({ context, slice }: Run, error: unknown): void {
  writeIfPossible(context, () => context.store.events.add(slice.name, 'rollback-incomplete', messageOf(error)));
  context.report({ kind: 'note', text: `the way back is not complete: ${messageOf(error)}` });
}

/** Of what is done on the nodes, and of which the database does not know. */
export function notRecorded(): VnmError {
  return new VnmError('failed', 'the outcome could not be recorded completely');
}

/**
 * The end hosts reach each other over the old instance, as far as they did before; where they do not, what somebody has removed or
 * changed of it is put back first: `reconcile` does not while a migration is unfinished. What cannot be proven even then is
 * reported (and returned) and stops nothing, unless the new instance is the better one: then the gateways send into that again.
 */
async function confirmOld(run: Run, fresh: Instance): Promise<Pair[]> {
  const { context, vn, old } = run;
  const yardstick = yardstickBefore(run);
  // An earlier version did not look at pairs that need a router whose node was unreachable.
  const dead = yardstick.byEcho === undefined ? deadBefore(run) : [];
  const isMeant = (from: string, to: string) => !routersBetween(vn, from, to).some((router) => dead.includes(router));
  const prove = (locate = true) => proveEndHosts(run, old.instance, yardstick, { isMeant, locate });
  const when = 'back on the old instance';
  let proof = await prove();
  if (proof.failed.length > 0) {
    const text = `${when} no packet came from ${brokenPairs(proof.failed)}; the old instance is repaired`;
    context.report({ kind: 'note', text });
    await repairOld(run);
    proof = await prove(false);
  }
  const { excused, failed } = proof;
  if (failed.length > 0 && (await isBetter(run, fresh, old.instance, failed))) {
    await redirectAll(run, fresh);
    const text = `${when} no packet came from ${namesOf(failed)}, unlike on the new one, into which the gateways send again`;
    throw new VnmError('failed', `${text}; pl-vnm resume ${run.slice.name} finishes the migration`);
  }
  return tellUnproven(run, when, [...excused, ...failed]);
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

/** Routers of the old instance whose node was unreachable when they should have been cloned. */
function deadBefore({ context, id }: Run): readonly string[] {
  const dead = (id === undefined ? undefined : context.store.migrations.find(id)?.fromRecord) ?? [];
  if (dead.length > 0) {
    const text = `the old instance was without router ${dead.join(', ')} before: pairs that need it are not verified`;
    context.report({ kind: 'note', text });
  }
  return dead;
}

type Surroundings = Pick<Run, keyof VnPlan | 'context' | 'agents' | 'names'>;

/** Takes the new instance away again, and forgets it. No gateway may send into it any more. */
export async function removeFresh(run: Surroundings, fresh: Recorded): Promise<void> {
  await tearDownFresh(run, fresh, []);
  run.context.store.instances.remove(fresh.record.id);
}

/** Gateways' links first. `before`: nodes found away. */
async function tearDownFresh(run: Surroundings, fresh: Recorded, before: readonly string[]): Promise<void> {
  const left = await applyWhereReachable(run.agents, tearDownInstance(run, fresh.instance));
  tellOfLeft(run, [...before, ...left]);
}

/** Every gateway into the new instance, at once: those that are there already stay as they are. */
export async function redirectAll(run: Run, fresh: Instance): Promise<void> {
  const groups = setGroups(run, [run.old.instance, fresh], fresh);
  await disarmAll(run);
  await applyAll(run.agents, mergeBatches(groups, run.gated ? removeGates(run) : new Map()));
}

/** The edge nodes that are unreachable: without them the controller cannot know what traffic does. */
export function edgesAway({ agents, vn }: Run): string[] {
  return [...new Set(edgeNodes(vn))].filter((node) => agents.missing.has(node));
}

/** What gateways still hold of this migration is disarmed; what has begun is waited for. */
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
          // What has begun is waited for.
          for (const startMs = performance.now(); performance.now() - startMs < timeoutMs; ) {
            const { state } = await agents.get(node).call('armed_results', { id: armedId }, { timeoutMs });
            if (state !== 'armed') return;
            await sleep(armedPollMs);
          }
        } catch (error) {
          // It holds nothing, or is unreachable now.
          if (!(error instanceof VnmError) || !['not-found', 'unreachable', 'timeout'].includes(error.code))
            throw error;
        }
      }),
  );
}

function tellOfLeft({ context, slice }: Pick<Run, 'context' | 'slice'>, nodes: readonly NodeName[]): void {
  if (nodes.length === 0) return;
  const names = [...new Set(nodes)].join("', '");
  const text = `node '${names}' cannot be reached: what is to go from there stays until pl-vnm reconcile ${slice.name}`;
  context.report({ kind: 'note', text });
  writeIfPossible(context, () => context.store.events.add(slice.name, 'left-over', text));
}
