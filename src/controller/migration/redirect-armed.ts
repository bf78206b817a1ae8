import type { ClockEstimate } from '../../clock/exchange.ts';
import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { timeLimits } from '../../model/patience.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import type { ArmedResults } from '../../vsys/messages.ts';
import { removeGates } from '../batches/gates.ts';
import { type Agents, applyAll } from '../nodes/agents.ts';
import { armInTime } from './arm-in-time.ts';
import type { Decision } from './decide.ts';
import { recordOf } from './record.ts';
import { type Timeline, timelinesOf } from './timelines.ts';
import type { Recorded, Run } from './types.ts';

/** The pause between two attempts to connect to a gateway again for its results. */
const reconnectPauseMs = 500;
/** After the last action, how long to wait before each request for its result, and the most requests. */
const collectMarginMs = 20;
const collectAttempts = 150;

/**
 * Step 5, scheduled at the gateways (the paper's gateway scheduling) in two phases: every gateway confirms that it is
 * armed with its actions and their absolute instant, or all are disarmed and nothing happens. From then on the
 * controller only waits: the gateways fire without it.
 *
 * If some gateways have redirected and another has not, it must redirect too, since all were armed. One that did not
 * (its agent ended, its tool failed) is commanded at once; an unreachable one most likely did, since it fires without
 * the controller. Nothing is rolled back here.
 *
 * Throws VnmError `failed` when a gateway could not be armed, or does not even redirect when commanded; `unreachable`
 * when one is unreachable.
 */
export async function redirectArmed(
  run: Run,
  fresh: Recorded,
  decision: Decision,
  measured: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const timelines = timelinesOf(run, fresh, decision);
  const { id, startAt, clocks } = await armInTime(run, fresh, decision, timelines, measured);
  const last = Math.max(...timelines.flatMap(({ actions }) => actions.map((action) => action.offsetMs)));
  await sleep(Math.max(0, startAt + last - run.agents.clock.wallMs()) + collectMarginMs);
  return collect(run, timelines, id, startAt, clocks);
}

/** Collects what each gateway did, and when. Commands those that did not redirect to do so now. */
async function collect(
  run: Run,
  timelines: readonly Timeline[],
  id: string,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const outcomes = await Promise.allSettled(
    timelines.map(async (timeline) => {
      const done = await resultsOf(run.agents, timeline.node, id);
      // Still armed: its clock was set after it had been read, so its instant is wrong.
      if (done.state === 'armed') await run.agents.get(timeline.node).call('cancel', { id });
      if (done.state === 'fired') return recordsOf(timeline, done, startAt, clocks);
      const errors = done.actions.flatMap(({ error }) => (error === undefined ? [] : [error]));
      const why = errors.length === 0 ? done.state : `${done.state}: ${errors.join('; ')}`;
      run.context.report({
        kind: 'note',
        text: `gateway ${timeline.gateway} did not redirect at its instant (${why}); redirecting it now`,
      });
      return command(run, timeline, startAt, clocks);
    }),
  );
  const problems = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ gateway: timelines[index]!.gateway, reason: outcome.reason as unknown }] : [],
  );
  if (problems.length === 0) return outcomes.flatMap((o) => (o.status === 'fulfilled' ? o.value : []));
  const areUnreachable = problems.every(({ reason }) => reason instanceof VnmError && reason.code === 'unreachable');
  const list = problems.map(({ gateway, reason }) => `gateway ${gateway}: ${messageOf(reason)}`).join('; ');
  throw areUnreachable
    ? new VnmError('unreachable', `not every gateway confirmed that it redirected: ${list}`)
    : new VnmError('failed', `not every gateway redirected: ${list}`);
}

function recordsOf(
  { gateway, node, actions }: Timeline,
  { actions: done }: ArmedResults,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): RedirectionRecord[] {
  return actions.flatMap((action, index) => {
    const { startedAt, finishedAt } = done[index]!;
    if (action.kind !== 'redirect' || startedAt === undefined || finishedAt === undefined) return [];
    return [recordOf(gateway, startAt + action.offsetMs, { startedAt, finishedAt }, clocks.get(node)!)];
  });
}

/** Redirects a gateway now, late. */
async function command(
  run: Run,
  { gateway, node, actions }: Timeline,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const records: RedirectionRecord[] = [];
  for (const action of actions) {
    if (action.kind !== 'redirect') continue;
    const done = await run.agents.get(node).call('redirect', { groups: action.groups });
    records.push(recordOf(gateway, startAt + action.offsetMs, done, clocks.get(node)!));
  }
  // It may have closed a gate and never opened it.
  const gates = run.gated ? removeGates(run).get(node) : undefined;
  if (gates !== undefined) await applyAll(run.agents, new Map([[node, gates]]));
  return records;
}

/**
 * Gets a gateway's results. On a busy machine the last action may still be under way. A restarted agent has none:
 * `missed`.
 */
export async function resultsOf(agents: Agents, node: NodeName, id: string): Promise<ArmedResults> {
  const startMs = performance.now();
  let reconnectMs = timeLimits().loginMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { call, limits } = agents.get(node);
      reconnectMs = limits.loginMs;
      const results = await call('armed_results', { id, forget: true }, { timeoutMs: limits.questionMs });
      if (results.state !== 'armed' || attempt >= collectAttempts) return results;
      await sleep(collectMarginMs);
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      if (error.code === 'not-found') return { state: 'missed', actions: [] };
      if (error.code !== 'unreachable' && error.code !== 'timeout') throw error;
      if (performance.now() - startMs > reconnectMs) {
        throw new VnmError('unreachable', messageOf(error), { hint: error.hint, cause: error });
      }
      await sleep(reconnectPauseMs);
      await agents.revive([node]);
    }
  }
}
