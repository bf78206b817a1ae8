/**
 * Carries out a migration that moves routers one after the other, or in groups (`movesRouters` in base/phase.ts). The
 * machine (machine.ts) runs once for each group; between two groups the VN is complete, on a placement of its own. If
 * one router cannot move, its group and those before it move back, so that the migration ends wholly on the new or
 * wholly on the old placement. The journal needs no record of the direction or of the groups: which routers are on two
 * nodes, and which are not where they belong, is in the database.
 */
import { messageOf } from '../../model/errors.ts';
import type { Placement } from '../../model/slice.ts';
import { groupMoves, type RouterMove } from '../../planning/neighbourhood.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { Outcome } from '../../store/migrations.ts';
import { stageOf } from '../base/phase.ts';
import { type CountedFlow, payloadBytes, startTraffic, type Traffic } from '../probe/traffic.ts';
import { countFlows, runSteps } from './carry-out.ts';
import { resumeFrom, type Step, undoFrom } from './machine.ts';
import { stepsOfGroup } from './move-group.ts';
import type { MoveProgress } from './move-progress.ts';
import { recordResult } from './result.ts';
import { trafficMargin } from './traffic-margin.ts';
import type { GuestMove, MigrateResult, MoveOptions, Recorded, Run } from './types.ts';

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
  const progress: MoveProgress = {
    ...{ flips: [], controlPlanes: [], neighbourEvents: [], flowChanges: [], guests: [] },
    unproven: [],
  };
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
    const step = nextMoves(run, now, options.parallel);
    if (step === undefined) {
      outcome = now === 'forth' ? 'completed' : 'rolled-back';
      break;
    }
    const { moves, first, isWanted, leadsTo } = step;
    const text = moves.map(({ router, from, to }) => `router '${router}' from node '${from}' to node '${to}'`);
    const what = isWanted ? 'moving' : leadsTo === 'completed' ? 'finishing the move of' : 'undoing the move of';
    context.report({ kind: 'note', text: `${what} ${text.join(', ')}` });
    const { instances } = context.store;
    // No signal stops the way back.
    const { signal: _, ...unstoppable } = context;
    const moving = {
      ...run,
      context: now === 'back' ? unstoppable : context,
      old: { ...run.old, instance: instances.plan(run.old.record.id) },
    };
    const steps = stepsOfGroup(moving, moves, { isBack: now === 'back', progress });
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
  // A cold restart of a routing daemon loses an unknown number.
  const isKnown = failure === undefined && !progress.controlPlanes.some(({ cold }) => cold);
  const flows = counted.map((flow) => {
    const predictedLost = isKnown ? lostInGuests(run, flow, progress.guests) : null;
    return { ...flow, predictedLost, predictedAddedDelayMs: null };
  });
  const { flips, controlPlanes, neighbourEvents, flowChanges, guests, unproven } = progress;
  return recordResult({ ...run, old: asBefore(run) }, options, outcome, {
    flips,
    controlPlanes,
    neighbourEvents,
    flowChanges,
    guests,
    flows,
    failure,
    unproven,
  });
}

/** How many packets of a flow arrive at guests while these stand still for their move; a clone runs meanwhile. */
function lostInGuests({ vn, mtu }: Run, { from, to }: CountedFlow, guests: readonly GuestMove[]): number {
  const flow = vn.flows.find((one) => one.from === from && one.to === to)!;
  const gateway = (endHost: string) => vn.endHosts.find(({ name }) => name === endHost)!.gateway;
  const passed = routersBetween(vn, gateway(from), gateway(to));
  const perMs = flow.rateBps / (8 * payloadBytes(flow, mtu)) / 1000;
  return guests
    .filter(({ router, way }) => way !== 'clone' && passed.includes(router))
    .reduce((sum, { freezeMs }) => sum + freezeMs * perMs, 0);
}

/** The instance as it was before the migration, which the result names. */
function asBefore({ context, old, id }: Run): Recorded {
  const { from, fromNodes } = context.store.migrations.find(id!)!;
  const placement = new Map(Object.entries(fromNodes!));
  return { record: { ...old.record, placementName: from }, instance: { ...old.instance, placement } };
}

interface NextMoves {
  readonly moves: readonly RouterMove[];
  readonly first: Step;
  /** Whether the moves lead to where the routers belong; otherwise they were interrupted, and are undone. */
  readonly isWanted: boolean;
  /** How they end, if nothing fails. */
  readonly leadsTo: Outcome;
}

/** Returns what to do next, for at most `atMost` routers; undefined if every router is where it belongs. */
function nextMoves({ context, vn, old, to, id }: Run, direction: Direction, atMost?: number): NextMoves | undefined {
  const { instances, migrations } = context.store;
  const record = migrations.find(id!)!;
  const instance = instances.plan(old.record.id);
  const goal: Placement = direction === 'forth' ? to.placement : new Map(Object.entries(record.fromNodes!));
  const moves = [...(instance.moving ?? [])].map(
    ([router, node]): RouterMove => ({ router, from: instance.placement.get(router)!, to: node }),
  );
  if (moves.length > 0) {
    const isWanted = moves.every((move) => goal.get(move.router) === move.to);
    const stage = stageOf(record);
    // From there is no way back: the moves end first, and then the routers move again.
    if (isWanted || stage === 'retiring') return { moves, first: resumeFrom(stage), isWanted, leadsTo: 'completed' };
    return { moves, first: undoFrom(stage), isWanted, leadsTo: 'rolled-back' };
  }
  const [group] = groupMoves(vn, instance, goal, atMost);
  return group === undefined ? undefined : { moves: group, first: 'prepare', isWanted: true, leadsTo: 'completed' };
}
