/** A migration from the stage it is in to its end, one way or the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import { planAccess } from '../../planning/instance.ts';
import { gateRooms } from '../../planning/schedule/gates.ts';
import { acceptOldUntilMs } from '../../planning/schedule/instants.ts';
import type { Outcome, RedirectionRecord } from '../../store/migrations.ts';
import { applyAll } from '../agents.ts';
import { measureClocks } from '../clocks.ts';
import { measuredFlowPaths } from '../flow-paths.ts';
import { setUpGates } from '../operations.ts';
import { edgeNodes } from '../resolve.ts';
import { type CountedFlow, startTraffic, type Traffic } from '../traffic.ts';
import { type Decision, decide, timingOfGateways } from './decide.ts';
import { confirm, edgesAway, redirectAll, retire, rollBack } from './finish.ts';
import type { Stage } from './journal.ts';
import { acceptBoth, clone, cloneChanges, join, measureBoth, setUp } from './prepare.ts';
import { redirectArmed } from './redirect-armed.ts';
import { redirectRemotely } from './redirect-remote.ts';
import { recordResult, withPrediction } from './result.ts';
import {
  advance,
  type ControlMode,
  type MigrateOptions,
  type MigrateResult,
  type Recorded,
  type Run,
} from './types.ts';

/** What is sent before and after the redirection at least, so that its effect shows in the counts. */
const trafficMarginMs = 1000;
/** Where the schedule that was under way is not known any more, the old instance is kept for so long. */
const longDrainMs = 2000;
/** Nothing is under way for longer, whatever a clock that was set makes of a latency. */
const maxDrainMs = 10_000;

/** What was found out and done on the way, for the result. */
interface Progress {
  redirections: RedirectionRecord[];
  decision?: Decision;
  /** How it was redirected in the end. */
  control: ControlMode;
  redirectedAt: number;
  /** From then on gateways may send into the new instance. */
  redirectionBegun: boolean;
}

/**
 * `stage`: where it is, all of it for a new migration; what is behind it is not done again. Never throws for what goes wrong on
 * nodes: the result says how it ended.
 */
export async function carryOut(
  run: Run,
  fresh: Recorded,
  options: MigrateOptions,
  urpfBefore: UrpfMode,
  stage: Stage,
): Promise<MigrateResult> {
  const { context, agents, slice, vn, phases } = run;
  const startedAt = performance.now();
  const { control } = options;
  const progress: Progress = {
    redirections: [],
    control,
    redirectedAt: startedAt,
    redirectionBegun: stage !== 'before',
  };
  let traffic: Traffic | undefined;
  let failure: unknown;
  let outcome: Outcome | undefined;
  try {
    if (options.traffic) traffic = await startTraffic(agents, slice, vn, run.mtu);
    if (stage === 'before')
      await prepareAndRedirect(run, fresh, options, progress, traffic && startedAt + trafficMarginMs);
    if (stage === 'redirecting') {
      phases.begin('redirect');
      await redirectAll(run, fresh.instance);
    }
    if (stage !== 'retiring') await confirm(run, fresh.instance);
  } catch (error) {
    failure = error;
    context.report({ kind: 'note', text: messageOf(error) });
    outcome = await goBack(run, fresh, urpfBefore, progress);
  }
  try {
    outcome ??= await retire(run, fresh, drainMsOf(run, progress.decision));
  } catch (error) {
    // The traffic is on the new instance, and the old one may not be whole any more: there is no way back from here.
    failure = error;
    outcome = 'failed';
  }
  phases.end();
  if (traffic !== undefined && failure === undefined) await sleepUntil(progress.redirectedAt + trafficMarginMs);
  const flows = withPrediction(await countFlows(run, traffic), progress.decision);
  context.store.migrations.saveRedirections(run.id!, progress.redirections);
  return recordResult(run, { ...options, control: progress.control }, outcome, progress.redirections, flows, failure);
}

async function prepareAndRedirect(
  run: Run,
  fresh: Recorded,
  options: MigrateOptions,
  progress: Progress,
  earliestAt: number | undefined,
): Promise<void> {
  const { context } = run;
  const prepared = await prepare(run, fresh, options);
  progress.decision = prepared.decision;
  if (earliestAt !== undefined) await sleepUntil(earliestAt);
  advance(run, 'redirect');
  progress.redirectionBegun = true;
  context.store.migrations.progress(run.id!, { drainMs: acceptOldOf(prepared.decision) });
  context.store.instances.setState(fresh.record.id, 'joining');
  progress.control = controlOf(run, options, prepared.decision);
  const redirect = progress.control === 'gateway' ? redirectArmed : redirectRemotely;
  progress.redirections = await redirect(run, fresh, prepared.decision, prepared.clocks);
  progress.redirectedAt = performance.now();
}

/**
 * While traffic waits nobody is armed, since that takes its time, where any instants will do: under feasible and loose uRPF, without
 * gates.
 */
function controlOf({ context, urpf }: Run, options: MigrateOptions, { flows, schedule }: Decision): ControlMode {
  const isUrgent = flows.some(({ isOldDown }) => isOldDown === true);
  const isFree = urpf !== 'strict' && schedule.gates.size === 0 && options.offsetsMs === undefined;
  if (options.control === 'remote' || !isUrgent || !isFree) return options.control;
  const text =
    'the gateways are told to redirect at once, without being armed: traffic waits, and nothing is lost by it';
  context.report({ kind: 'note', text });
  return 'remote';
}

/**
 * While an edge node is away after the redirection has begun, nobody knows what its gateway does: both instances stay up as they
 * are, and `failed` says so. Else everything goes back.
 */
async function goBack(run: Run, fresh: Recorded, urpfBefore: UrpfMode, progress: Progress): Promise<Outcome> {
  const { context, agents, slice } = run;
  const { redirectionBegun } = progress;
  if (redirectionBegun) {
    await agents
      .check(edgeNodes(run.vn))
      .then(() => agents.revive(edgeNodes(run.vn)))
      .catch((error: unknown) => context.report({ kind: 'note', text: messageOf(error) }));
    const away = edgesAway(run);
    if (away.length > 0) {
      context.store.events.add(slice.name, 'redirection-uncertain', `node '${away.join("', '")}' cannot be reached`);
      return 'failed';
    }
  }
  return rollBack(run, fresh, urpfBefore, { redirectionBegun, drainMs: drainMsOf(run, progress.decision) });
}

/** How long packets may be under way on either instance after the redirections. */
export function drainMsOf({ context, id }: Run, decision?: Decision): number {
  if (decision !== undefined) return acceptOldOf(decision);
  return (id === undefined ? undefined : context.store.migrations.find(id)?.drainMs) ?? longDrainMs;
}

function acceptOldOf({ schedule, flows, uncertainty }: Decision): number {
  const newMs = Math.max(0, ...flows.map((flow) => flow.newMs));
  return Math.min(Math.max(acceptOldUntilMs(schedule, flows, uncertainty), newMs), maxDrainMs);
}

/** Steps 2 to 4, and the schedule for what was measured. */
async function prepare(run: Run, fresh: Recorded, options: MigrateOptions) {
  const { agents, slice, vn, urpf, mtu, context } = run;
  await setUp(run, fresh.instance);
  const cloned = await clone(run, fresh.instance);
  await join(run, fresh.instance);
  const isUrgent = cloned.fromRecord.length > 0;
  const gateways = vn.gateways.map((gateway) => gateway.node);
  const [, clocks] = await both(
    () => acceptBoth(run, fresh.instance),
    () => measureClocks(agents, gateways),
    isUrgent,
  );
  const [latencies, uncertainty] = await both(
    () => measureBoth(run, fresh.instance, clocks),
    () => timingOfGateways(agents, vn, clocks, options.control),
    isUrgent,
  );
  const flows = measuredFlowPaths(vn, latencies.old, latencies.fresh, mtu);
  const decision = await decide(vn, options.schedule, { ...options, urpf }, flows, uncertainty);
  warnOfNarrowWindows(run, decision);
  if (run.gated) await applyAll(agents, setUpGates(planAccess(slice, vn), gateBytes(decision)), context.signal);
  await cloneChanges(run, fresh, cloned);
  return { clocks, decision };
}

/** One after the other, so that they do not disturb each other, or at once while traffic waits. Then a failure, too, waits for both. */
async function both<A, B>(one: () => Promise<A>, other: () => Promise<B>, atOnce: boolean): Promise<[A, B]> {
  if (!atOnce) return [await one(), await other()];
  const begun: [Promise<A>, Promise<B>] = [one(), other()];
  await Promise.allSettled(begun);
  return Promise.all(begun);
}

/** Room of each gateway's gate: twice what its flows send while it is closed, and some for what no flow declares. */
function gateBytes({ schedule, flows, uncertainty }: Decision): Map<string, number> {
  const undeclaredBytes = 1024 * 1024;
  return new Map(
    [...gateRooms(schedule, flows, uncertainty)].map(([gateway, { bytes }]) => [gateway, 2 * bytes + undeclaredBytes]),
  );
}

function warnOfNarrowWindows({ context }: Run, { evaluation }: Decision): void {
  for (const { flow, windowTooNarrow, worstLostPackets } of evaluation.flows) {
    if (!windowTooNarrow) continue;
    const text = `${flow.from} -> ${flow.to}: window narrower than the timing uncertainty, up to ${worstLostPackets.toFixed(1)} packets lost`;
    context.report({ kind: 'note', text });
  }
}

/** Nothing where an end host's agent has ended meanwhile: what it counted is gone, the migration is not. */
async function countFlows({ context }: Run, traffic: Traffic | undefined): Promise<CountedFlow[]> {
  try {
    return (await traffic?.finish()) ?? [];
  } catch (error) {
    context.report({ kind: 'note', text: `the flows could not be counted: ${messageOf(error)}` });
    return [];
  }
}

/** An instant by `performance.now`. */
async function sleepUntil(atMs: number): Promise<void> {
  await sleep(Math.max(0, atMs - performance.now()));
}
