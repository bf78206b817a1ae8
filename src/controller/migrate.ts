import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../model/errors.ts';
import type { UrpfMode } from '../model/route.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { planAccess } from '../planning/instance.ts';
import { gateRooms } from '../planning/schedule/gates.ts';
import { acceptOldUntilMs } from '../planning/schedule/instants.ts';
import type { RedirectionRecord } from '../store/migrations.ts';
import { type Agents, applyAll, hasFeature, withAgents } from './agents.ts';
import { measureClocks } from './clocks.ts';
import type { Context } from './context.ts';
import { measuredFlowPaths } from './flow-paths.ts';
import { chooseUrpf } from './migration/choose-urpf.ts';
import { type Decision, decide, timingOfGateways } from './migration/decide.ts';
import { confirm, retire, rollBack } from './migration/finish.ts';
import { acceptBoth, addInstance, clone, cloneChanges, join, measureBoth, setUp } from './migration/prepare.ts';
import { redirectArmed } from './migration/redirect-armed.ts';
import { redirectRemotely } from './migration/redirect-remote.ts';
import { recordResult, withPrediction } from './migration/result.ts';
import { advance, type MigrateOptions, type MigrateResult, type Recorded, type Run } from './migration/types.ts';
import { setUpGates } from './operations.ts';
import { startPhases } from './phases.ts';
import { activeInstance, choosePlacement, edgeNodes, refuseUnfinished } from './resolve.ts';
import { startTraffic } from './traffic.ts';

export type { MigrateOptions, MigrateResult } from './migration/types.ts';

/** What is sent before and after the redirection at least, so that its effect shows in the counts. */
const trafficMarginMs = 1000;

/**
 * Moves a VN to another placement: the paper's six steps (section III-D).
 *
 *     add nodes -> set up -> clone -> join gateways -> prove -> measure -> redirect -> verify -> drain -> retire   completed
 *                     \________\___________\____________\_________\___________\_________\
 *                                                                                  -> roll back   rolled-back | failed
 *
 * Until the redirection a failure takes the new instance away again; after it, the gateways are redirected back first.
 * Throws only for what was wrong before anything was changed.
 */
export async function migrate(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const to = { name: options.to, placement: choosePlacement(vn, options.to) };
  refuseRemoteGates(options);
  refuseUnfinished(context.store, slice, vn);
  refuseSame(slice, vn, old, options.to);
  const { mtu, urpf: urpfBefore } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
  context.report({ kind: 'phase', text: 'add nodes' });
  const startedAt = performance.now();
  return withAgents(context, slice, nodes, async (agents) => {
    const urpf = chooseUrpf(context, agents, vn, options.urpf);
    const gated = options.schedule === 'hold' || options.schedule === 'drain';
    if (gated) refuseWithoutGates(agents, vn);
    const id = context.store.migrations.start({
      slice: slice.name,
      vn: vn.name,
      from: old.record.placementName,
      to: options.to,
      control: options.control,
      schedule: options.schedule,
      urpf,
    });
    const phases = startPhases(context, id, { name: 'add nodes', ms: performance.now() - startedAt });
    return runMigration({ context, agents, slice, vn, old, to, urpf, gated, mtu, phases }, id, options, urpfBefore);
  });
}

async function runMigration(
  run: Run,
  id: number,
  options: MigrateOptions,
  urpfBefore: UrpfMode,
): Promise<MigrateResult> {
  const { agents, slice, vn, phases } = run;
  const startedAt = performance.now();
  const traffic = options.traffic ? await startTraffic(agents, slice, vn, run.mtu) : undefined;
  const fresh = addInstance(run);
  let redirections: RedirectionRecord[] = [];
  let decision: Decision | undefined;
  let redirectedAt = startedAt;
  let failure: unknown;
  try {
    const prepared = await prepare(run, fresh, options);
    decision = prepared.decision;
    if (traffic !== undefined) await sleepUntil(startedAt + trafficMarginMs);
    advance(run, 'redirect');
    run.context.store.instances.setState(fresh.record.id, 'joining');
    const redirect = options.control === 'gateway' ? redirectArmed : redirectRemotely;
    redirections = await redirect(run, fresh, decision, prepared.clocks);
    redirectedAt = performance.now();
    await confirm(run, fresh.instance);
  } catch (error) {
    failure = error;
  }
  const outcome =
    failure === undefined && decision !== undefined
      ? await retire(run, fresh, acceptOldUntilMs(decision.schedule, decision.flows, decision.uncertainty))
      : await rollBack(run, fresh, urpfBefore);
  phases.end();
  if (traffic !== undefined && failure === undefined) await sleepUntil(redirectedAt + trafficMarginMs);
  const flows = withPrediction((await traffic?.finish()) ?? [], decision);
  return recordResult(run, id, options, outcome, redirections, flows, failure);
}

/** Steps 2 to 4, and the schedule for what was measured. */
async function prepare(run: Run, fresh: Recorded, options: MigrateOptions) {
  const { agents, slice, vn, urpf, mtu, context } = run;
  await setUp(run, fresh.instance);
  const cloned = await clone(run, fresh.instance);
  await join(run, fresh.instance);
  await acceptBoth(run, fresh.instance);
  const clocks = await measureClocks(
    agents,
    vn.gateways.map((gateway) => gateway.node),
  );
  const latencies = await measureBoth(run, fresh.instance, clocks);
  const uncertainty = await timingOfGateways(agents, vn, clocks, options.control);
  const flows = measuredFlowPaths(vn, latencies.old, latencies.fresh, mtu);
  const decision = await decide(vn, options.schedule, { ...options, urpf }, flows, uncertainty);
  warnOfNarrowWindows(run, decision);
  if (run.gated) await applyAll(agents, setUpGates(planAccess(slice, vn), gateBytes(decision)), context.signal);
  await cloneChanges(run, fresh, cloned);
  return { clocks, decision };
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

/** A gate is opened as exactly as its gateway redirects; over SSH neither would be exact. */
function refuseRemoteGates({ schedule, control }: MigrateOptions): void {
  if (control === 'gateway' || (schedule !== 'hold' && schedule !== 'drain')) return;
  throw new VnmError('usage', `schedule '${schedule}' needs the redirections armed at the gateways`, {
    hint: 'take --control gateway',
  });
}

function refuseWithoutGates(agents: Agents, vn: VirtualNetwork): void {
  const lacking = vn.gateways.filter(({ node }) => !hasFeature(agents.get(node).facts, 'ifb-gate'));
  if (lacking.length === 0) return;
  throw new VnmError(
    'unsupported',
    `gateway ${lacking.map(({ name }) => name).join(', ')} cannot hold traffic: no ifb with tbf`,
    {
      hint: "take '--schedule optimal --urpf feasible', which needs no gates",
    },
  );
}

function refuseSame(slice: Slice, vn: VirtualNetwork, old: Recorded, to: string): void {
  if (old.record.placementName !== to) return;
  throw new VnmError('conflict', `VN '${vn.name}' of slice '${slice.name}' is on placement '${to}' already`, {
    hint: `its placements are ${[...vn.placements.keys()].join(', ')}`,
  });
}

/** An instant by `performance.now`. */
async function sleepUntil(atMs: number): Promise<void> {
  await sleep(Math.max(0, atMs - performance.now()));
}
