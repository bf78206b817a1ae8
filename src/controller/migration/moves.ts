/**
 * Carries out a migration that moves routers one after the other (method `vroom`). The machine (machine.ts) runs once
 * for each router; between two routers the VN is complete, on a placement of its own. If one router cannot move, those
 * before it move back, so that the migration ends wholly on the new or wholly on the old placement. The journal needs
 * no record of the direction: which router is on two nodes, and which is not where it belongs, is in the database.
 */
import { messageOf } from '../../model/errors.ts';
import type { Placement } from '../../model/slice.ts';
import { orderMoves, type RouterMove } from '../../planning/neighbourhood.ts';
import type { Outcome } from '../../store/migrations.ts';
import { stageOf } from '../base/phase.ts';
import { startTraffic, type Traffic } from '../probe/traffic.ts';
import { countFlows, runSteps } from './carry-out.ts';
import { resumeFrom, type Step, undoFrom } from './machine.ts';
import { type MoveProgress, stepsOfMove } from './methods/vroom.ts';
import { recordResult } from './result.ts';
import { trafficMargin } from './traffic-margin.ts';
import type { MigrateResult, MoveOptions, Recorded, Run } from './types.ts';

/** Where the routers belong: on the new placement, or, if the migration is undone, on the old one. */
export type Direction = 'forth' | 'back';

/**
 * Moves what is not where it belongs. `reason`: why the migration is undone. Never throws for failures on nodes: the
 * result has the outcome.
 */
export async function carryOutMoves(
  run: Run,
  options: MoveOptions,
  direction: Direction,
  reason?: unknown,
): Promise<MigrateResult> {
  const { context, phases } = run;
  const progress: MoveProgress = { flips: [], controlPlanes: [], neighbourEvents: [], unproven: [] };
  const beganAtMs = performance.now();
  let traffic: Traffic | undefined;
  let [now, failure] = [direction, reason];
  let outcome: Outcome;
  try {
    traffic = options.traffic ? await startTraffic(run.agents, run, run.mtu) : undefined;
    if (traffic !== undefined) await trafficMargin(beganAtMs);
  } catch (error) {
    [now, failure] = ['back', failure ?? error];
  }
  for (;;) {
    const step = nextMove(run, now);
    if (step === undefined) {
      outcome = now === 'forth' ? 'completed' : 'rolled-back';
      break;
    }
    const { move, first, isWanted, leadsTo } = step;
    const text = `router '${move.router}' from node '${move.from}' to node '${move.to}'`;
    const what = isWanted ? 'moving' : leadsTo === 'completed' ? 'finishing the move of' : 'undoing the move of';
    context.report({ kind: 'note', text: `${what} ${text}` });
    const { instances } = context.store;
    // No signal stops the way back.
    const { signal: _, ...unstoppable } = context;
    const moving = {
      ...run,
      context: now === 'back' ? unstoppable : context,
      old: { ...run.old, instance: instances.plan(run.old.record.id) },
    };
    const steps = stepsOfMove(moving, move, { isBack: now === 'back', progress });
    const ended = await runSteps(moving, steps, first, isWanted ? undefined : failure);
    if (ended.outcome === leadsTo) continue;
    if (failure !== undefined && ended.failure !== undefined && ended.failure !== failure)
      context.report({ kind: 'note', text: messageOf(ended.failure) });
    failure ??= ended.failure;
    if (ended.outcome === 'failed' || now === 'back') {
      outcome = 'failed';
      break;
    }
    now = 'back';
  }
  phases.end();
  if (traffic !== undefined && failure === undefined) await trafficMargin(performance.now());
  const counted = await countFlows(run, traffic);
  const predictedLost = failure === undefined ? 0 : null;
  const flows = counted.map((flow) => ({ ...flow, predictedLost, predictedAddedDelayMs: null }));
  const { flips, controlPlanes, neighbourEvents, unproven } = progress;
  return recordResult({ ...run, old: asBefore(run) }, options, outcome, {
    flips,
    controlPlanes,
    neighbourEvents,
    flows,
    failure,
    unproven,
  });
}

/** The instance as it was before the migration, which the result names. */
function asBefore({ context, old, id }: Run): Recorded {
  const { from, fromNodes } = context.store.migrations.find(id!)!;
  const placement = new Map(Object.entries(fromNodes!));
  return { record: { ...old.record, placementName: from }, instance: { ...old.instance, placement } };
}

interface NextMove {
  readonly move: RouterMove;
  readonly first: Step;
  /** Whether the move leads to where the router belongs; otherwise it was interrupted, and is undone. */
  readonly isWanted: boolean;
  /** How it ends, if nothing fails. */
  readonly leadsTo: Outcome;
}

/** Returns what to do next; undefined if every router is where it belongs. */
function nextMove({ context, vn, old, to, id }: Run, direction: Direction): NextMove | undefined {
  const { instances, migrations } = context.store;
  const record = migrations.find(id!)!;
  const instance = instances.plan(old.record.id);
  const goal: Placement = direction === 'forth' ? to.placement : new Map(Object.entries(record.fromNodes!));
  const [interrupted] = instance.moving ?? [];
  if (interrupted !== undefined) {
    const [router, node] = interrupted;
    const move = { router, from: instance.placement.get(router)!, to: node };
    const isWanted = goal.get(router) === node;
    const stage = stageOf(record);
    // From there is no way back: the move ends first, and then the router moves again.
    if (isWanted || stage === 'retiring') return { move, first: resumeFrom(stage), isWanted, leadsTo: 'completed' };
    return { move, first: undoFrom(stage), isWanted, leadsTo: 'rolled-back' };
  }
  const [move] = orderMoves(vn, instance, goal);
  return move === undefined ? undefined : { move, first: 'prepare', isWanted: true, leadsTo: 'completed' };
}
