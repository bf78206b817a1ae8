/**
 * The paper's method (section III-D): makes a whole new instance of the VN next to the old one, into which the gateways
 * redirect the traffic. Undone by redirecting it back and removing the new instance.
 */
import { VnmError } from '../../../model/errors.ts';
import type { UrpfMode } from '../../../model/route.ts';
import type { VirtualNetwork } from '../../../model/slice.ts';
import { gateRooms } from '../../../planning/schedule/gates.ts';
import { acceptOldUntilMs } from '../../../planning/schedule/instants.ts';
import { writeIfPossible } from '../../base/best-effort.ts';
import { setUpGates } from '../../batches/gates.ts';
import { type Agents, applyAll, hasFeature } from '../../nodes/agents.ts';
import { startTraffic } from '../../probe/traffic.ts';
import { makeReady } from '../arm-in-time.ts';
import { type Decision, decide, timingOfGateways } from '../decide.ts';
import { confirm, findGateways, redirectAll, removeNew, retire, sendBack } from '../finish.ts';
import type { Method, Prepared, Progress, Steps } from '../method.ts';
import { plannedFlow } from '../planned-flow.ts';
import { acceptBoth, clone, cloneChanges, flowsMeasured, join, measureBoth, proveNew, setUp } from '../prepare.ts';
import { redirectArmed } from '../redirect-armed.ts';
import { redirectRemotely } from '../redirect-remote.ts';
import { spreadWarning } from '../spread-warning.ts';
import { trafficMargin } from '../traffic-margin.ts';
import { advance, type ControlMode, isGated, type MoveOptions, type Recorded, type Run } from '../types.ts';

/** How long the old instance is kept if the schedule is no longer known. */
const longDrainMs = 2000;
/** The longest drain time, however large a latency appears after a clock was set. */
const maxDrainMs = 10_000;

export const instanceMethod: Method = {
  refuse: (options) => {
    const hint = 'leave that out, or use --method vroom';
    if (options.controlPlane !== undefined)
      throw new VnmError('usage', 'method instance starts new routing daemons, so it has no --control-plane', { hint });
    if (options.holdControl)
      throw new VnmError('usage', 'method instance moves no routing daemon, so it has no --hold-control', { hint });
    if (options.suspend === true)
      throw new VnmError('usage', 'method instance copies no guest, so it has no --suspend', { hint });
    if (options.parallel !== undefined)
      throw new VnmError('usage', 'method instance moves all routers together, so it has no --parallel', { hint });
    refuseRemoteGates(options);
  },
  refuseOn: (agents, vn, options) => {
    if (isGated(options)) refuseWithoutGates(agents, vn);
  },
};

/** `urpfBefore`: the mode before the migration. */
export function instanceSteps(run: Run, fresh: Recorded, { options, urpfBefore, progress }: StepInputs): Steps {
  return {
    prepare: () => prepare(run, fresh, options, progress),
    redirect: () => redirect(run, fresh, options, progress),
    'redirect all': async () => {
      run.phases.begin('redirect');
      await redirectAll(run, fresh.instance);
    },
    confirm: async () => {
      progress.unproven = await confirm(run, fresh.instance);
    },
    retire: () => retire(run, fresh, drainMsOf(run, progress.prepared?.decision)),
    'find gateways': () => findGateways(run),
    'send back': async () => {
      progress.unproven = await sendBack(run, fresh, drainMsOf(run, progress.prepared?.decision));
    },
    remove: () => removeNew(run, fresh, urpfBefore),
  };
}

interface StepInputs {
  readonly options: MoveOptions;
  readonly urpfBefore: UrpfMode;
  readonly progress: Progress;
}

/** Steps 2 to 4, until the redirection may begin; records its begin in the journal. */
async function prepare(run: Run, fresh: Recorded, options: MoveOptions, progress: Progress): Promise<void> {
  if (options.traffic) progress.traffic = await startTraffic(run.agents, run, run.mtu);
  const prepared = await makeNew(run, fresh, options);
  progress.prepared = prepared;
  progress.control = controlOf(run, options, prepared.decision);
  if (progress.control === 'gateway') await makeReady(run, fresh, prepared.decision);
  if (options.traffic) await trafficMargin(progress.startedAt);
  advance(run, 'redirect');
}

async function redirect(run: Run, fresh: Recorded, options: MoveOptions, progress: Progress): Promise<void> {
  const { context } = run;
  const { decision, clocks } = progress.prepared!;
  writeIfPossible(context, () => {
    context.store.migrations.progress(run.id!, { drainMs: acceptOldOf(decision) });
    context.store.instances.setState(fresh.record.id, 'joining');
  });
  const usual = progress.control === 'gateway' ? redirectArmed : redirectRemotely;
  const way = options.redirect ?? usual;
  progress.redirections = await way(run, fresh, decision, clocks);
  progress.redirectedAt = performance.now();
}

/**
 * Returns who times the redirections. While traffic waits, skips arming, which takes time, if the instants do not
 * matter: under feasible and loose uRPF, without gates.
 */
function controlOf({ context, urpf }: Run, options: MoveOptions, { flows, schedule }: Decision): ControlMode {
  const isUrgent = flows.some(({ isOldDown }) => isOldDown === true);
  const isFree = urpf !== 'strict' && schedule.gates.size === 0 && options.offsetsMs === undefined;
  if (options.control === 'remote' || !isUrgent || !isFree) return options.control;
  const text =
    'the controller commands the gateways to redirect at once, without arming them: traffic waits, and this loses no packets';
  context.report({ kind: 'note', text });
  return 'remote';
}

/** How long packets may be in flight on either instance after the redirections. */
function drainMsOf({ context, id }: Run, decision?: Decision): number {
  if (decision !== undefined) return acceptOldOf(decision);
  return (id === undefined ? undefined : context.store.migrations.find(id)?.drainMs) ?? longDrainMs;
}

function acceptOldOf({ schedule, flows, uncertainty }: Decision): number {
  const newMs = flows.reduce((most, flow) => Math.max(most, flow.newMs), 0);
  return Math.min(Math.max(acceptOldUntilMs(schedule, flows, uncertainty), newMs), maxDrainMs);
}

/** Makes and measures the new instance, and decides the schedule. */
async function makeNew(run: Run, fresh: Recorded, options: MoveOptions): Promise<Prepared> {
  const { agents, vn, urpf, context } = run;
  // Before anything is read that will be changed, and while the new nodes are looked at.
  agents.claim();
  await setUp(run, fresh.instance);
  const cloned = await clone(run, fresh.instance);
  const tables = await join(run, fresh.instance, cloned);
  const { clocks, lags } = await proveNew(run, fresh.instance, tables, { timers: options.control === 'gateway' });
  await acceptBoth(run, fresh.instance);
  const latencies = await measureBoth(run, fresh.instance, clocks);
  const uncertainty = timingOfGateways(vn, clocks, lags);
  const flows = flowsMeasured(run, latencies);
  const decision = decide(vn, options.schedule, { ...options, urpf }, flows, uncertainty);
  warnOfSpread(run, decision);
  warnOfNarrowWindows(run, decision);
  if (run.gated) await applyAll(agents, setUpGates(run, gateBytes(decision)), context.signal);
  await cloneChanges(run, fresh, cloned);
  return { clocks, decision };
}

/** The size of each gateway's gate: twice what its flows send while it is closed, and some for undeclared traffic. */
function gateBytes({ schedule, flows, uncertainty }: Decision): Map<string, number> {
  const undeclaredBytes = 1024 * 1024;
  return new Map(
    [...gateRooms(schedule, flows, uncertainty)].map(([gateway, { bytes }]) => [gateway, 2 * bytes + undeclaredBytes]),
  );
}

function warnOfSpread({ context }: Run, { evaluation }: Decision): void {
  for (const outcome of evaluation.flows) {
    const text = spreadWarning(plannedFlow(outcome));
    if (text !== undefined) context.report({ kind: 'note', text });
  }
}

function warnOfNarrowWindows({ context }: Run, { evaluation }: Decision): void {
  for (const { flow, windowTooNarrow, worstLostPackets } of evaluation.flows) {
    if (!windowTooNarrow) continue;
    const text = `${flow.from} -> ${flow.to}: window narrower than the timing uncertainty, up to ${worstLostPackets.toFixed(1)} packets lost`;
    context.report({ kind: 'note', text });
  }
}

/** Gates must open as exactly as their gateway redirects; over SSH neither would be exact. */
function refuseRemoteGates({ schedule, control }: Pick<MoveOptions, 'schedule' | 'control'>): void {
  if (control === 'gateway' || (schedule !== 'hold' && schedule !== 'drain')) return;
  throw new VnmError('usage', `schedule '${schedule}' needs the redirections armed at the gateways`, {
    hint: 'use --control gateway',
  });
}

function refuseWithoutGates(agents: Agents, vn: VirtualNetwork): void {
  const lacking = vn.gateways.filter(({ node }) => !hasFeature(agents.get(node).facts, 'ifb-gate'));
  if (lacking.length === 0) return;
  throw new VnmError(
    'unsupported',
    `gateway ${lacking.map(({ name }) => name).join(', ')} cannot hold traffic: no ifb with tbf`,
    {
      hint: "use '--schedule optimal --urpf feasible', which needs no gates",
    },
  );
}
