import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { agree, type ClockEstimate, estimateFrom } from '../../clock/exchange.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { planAccess } from '../../planning/instance.ts';
import { requiredLeadMs } from '../../planning/schedule/instants.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import type { ArmedResults, ParamsInput } from '../../vsys/messages.ts';
import { type Agents, applyAll } from '../agents.ts';
import { measureClocks } from '../clocks.ts';
import { removeGates } from '../operations.ts';
import type { Decision } from './decide.ts';
import { recordOf } from './record.ts';
import { redirectionsOf } from './redirections.ts';
import type { Recorded, Run } from './types.ts';

type ArmedAction = ParamsInput<'arm'>['actions'][number];

/** Of the lead: what arming may take beyond the round trips measured before. Where that was not enough, it is tried with the next. */
const leadMarginsMs = [500, 1500, 4000];
/** How long, and with what pause, it is tried to connect anew to a gateway that cannot be asked what it did. */
const reconnectMs = 10_000;
const reconnectPauseMs = 500;
/** After the last action: time for it to be done before its result is asked for, and asked again, so many times. */
const collectMarginMs = 20;
const collectAttempts = 150;
/** A gateway that does not even answer that may have been armed, and fires. */
const disarmTimeoutMs = 5000;
const resultsTimeoutMs = 5000;
const firedAlready = ' had fired already';

/** What one gateway does around T, in the order of its instants. */
interface Timeline {
  readonly gateway: string;
  readonly node: string;
  readonly actions: ArmedAction[];
}

/**
 * Step 5, scheduled at the gateways (the paper's gateway scheduling) in two phases: every gateway confirms that it holds its
 * actions with their absolute instant, or all are disarmed and nothing happens. From then on the controller only waits: the
 * gateways fire without it.
 *
 * What if some gateways have redirected and another has not: all held it, so all shall have it. One that did not (its agent ended,
 * its tool failed) is commanded at once; one that cannot be asked most likely did, since it does so by itself. Nothing is rolled
 * back here.
 *
 * Throws VnmError `failed` when a gateway could not be armed, or does not even redirect when commanded; `unreachable` when one
 * cannot be asked.
 */
export async function redirectArmed(
  run: Run,
  fresh: Recorded,
  decision: Decision,
  measured: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const timelines = timelinesOf(run, fresh, decision);
  const { id, startAt, clocks } = await armInTime(run, decision, timelines, measured);
  const last = Math.max(...timelines.flatMap(({ actions }) => actions.map((action) => action.offsetMs)));
  await sleep(Math.max(0, startAt + last - run.agents.clock.wallMs()) + collectMarginMs);
  return collect(run, timelines, id, startAt, clocks);
}

function timelinesOf({ slice, vn }: Run, fresh: Recorded, { schedule }: Decision): Timeline[] {
  const access = planAccess(slice, vn);
  const redirections = redirectionsOf(slice, vn, fresh.instance, schedule);
  return vn.gateways
    .map(({ name, node }) => {
      const own = redirections.filter(({ gateway }) => gateway === name);
      const redirects = own.map(({ offsetMs, groups }): ArmedAction => ({ offsetMs, kind: 'redirect', groups }));
      const gate = schedule.gates.get(name);
      if (gate === undefined) return { gateway: name, node, actions: redirects };
      const interfaces = access.filter((link) => link.gateway === name).map((link) => link.gatewayEnd.interface);
      const at = (offsetMs: number, kind: 'gate_close' | 'gate_open') =>
        interfaces.map((name): ArmedAction => ({ offsetMs, kind, interface: name }));
      return {
        gateway: name,
        node,
        actions: [...at(-gate.closeBeforeMs, 'gate_close'), ...redirects, ...at(gate.releaseAfterMs, 'gate_open')],
      };
    })
    .filter(({ actions }) => actions.length > 0);
}

/**
 * Arms all, or none; with more lead where a busy machine or a slow way made it too late. Answers the clocks by which it did: they
 * are read anew where one was set since they were `measured`.
 */
async function armInTime(
  run: Run,
  decision: Decision,
  timelines: readonly Timeline[],
  measured: ReadonlyMap<string, ClockEstimate>,
): Promise<{ id: string; startAt: number; clocks: ReadonlyMap<string, ClockEstimate> }> {
  const clocks = new Map(measured);
  for (const [attempt, marginMs] of leadMarginsMs.entries()) {
    const id = `m${randomBytes(6).toString('hex')}`;
    const { leadMs, answerMs, set } = await leadFor(run, decision, timelines, marginMs, clocks);
    if (set.length > 0) {
      run.context.report({ kind: 'note', text: `the clock of ${set.join(', ')} was set; it is read anew` });
      for (const [node, estimate] of await measureClocks(run.agents, set)) clocks.set(node, estimate);
    }
    const startAt = run.agents.clock.wallMs() + leadMs;
    if (run.id !== undefined) run.context.store.migrations.progress(run.id, { armedId: id });
    const refused = await armAll(run, timelines, id, startAt, clocks, answerMs);
    if (refused.length === 0) return { id, startAt, clocks };
    const message = `not every gateway could be armed, so none redirects: ${refused.join('; ')}`;
    if (attempt === leadMarginsMs.length - 1) throw new VnmError('failed', message);
    run.context.signal?.throwIfAborted();
    run.context.report({ kind: 'note', text: `${message}; once more with more lead` });
  }
  throw new RangeError('no lead to try');
}

/**
 * How far the common instant must be from now, by the round trips of something as small as arming: so that a gateway that has
 * not confirmed within `answerMs` leaves time to disarm the others before the first of them does anything. `set`: nodes of which the
 * clock is no longer what it was.
 */
async function leadFor(
  { agents }: Run,
  { schedule }: Decision,
  timelines: readonly Timeline[],
  marginMs: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<{ leadMs: number; answerMs: number; set: string[] }> {
  const set: string[] = [];
  const armingMs = await Promise.all(
    timelines.map(async ({ node }) => {
      const [sentMs, sentAtMs] = [agents.clock.wallMs(), agents.clock.monotonicMs()];
      const { receivedAt, sentAt } = await agents.get(node).call('clock', {});
      const [receivedMs, nowMs] = [agents.clock.wallMs(), agents.clock.monotonicMs()];
      const exchange = { sentMs, remoteReceivedMs: receivedAt, remoteSentMs: sentAt, receivedMs };
      if (!agree(estimateFrom(exchange, sentAtMs), clocks.get(node)!, nowMs)) set.push(node);
      return nowMs - sentAtMs;
    }),
  );
  const slowestMs = Math.max(...armingMs);
  const leadMs = requiredLeadMs(schedule, { armingMs, disarmMs: slowestMs, marginMs });
  return { leadMs, answerMs: slowestMs + marginMs / 2, set };
}

/** What each gateway that refused said; then none holds anything. */
async function armAll(
  { agents }: Run,
  timelines: readonly Timeline[],
  id: string,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
  answerMs: number,
): Promise<string[]> {
  const armed = await Promise.allSettled(
    timelines.map(({ node, actions }) =>
      agents.get(node).call('arm', { id, at: startAt + clocks.get(node)!.offsetMs, actions }, { timeoutMs: answerMs }),
    ),
  );
  const refused = armed.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [`${timelines[index]!.gateway}: ${messageOf(outcome.reason)}`] : [],
  );
  if (refused.length === 0) return [];
  return (await disarm(agents, timelines, id, refused)) === 'disarmed' ? refused : [];
}

/**
 * `fired`: all held it after all, answered late, and have begun. Throws VnmError `failed` when only some have, or one cannot say
 * that it will not.
 */
async function disarm(
  agents: Agents,
  timelines: readonly Timeline[],
  id: string,
  refused: readonly string[],
): Promise<'disarmed' | 'fired'> {
  const cancelled = await Promise.all(
    timelines.map(async ({ gateway, node }) => {
      try {
        const { result } = await agents.get(node).call('cancel', { id }, { timeoutMs: disarmTimeoutMs });
        return result === 'fired' ? `${gateway}${firedAlready}` : undefined;
      } catch (error) {
        // The one that refused holds nothing.
        if (error instanceof VnmError && error.code === 'not-found') return undefined;
        return `${gateway}: ${messageOf(error)}`;
      }
    }),
  );
  const lost = cancelled.filter((problem) => problem !== undefined);
  if (lost.length === 0) return 'disarmed';
  if (lost.every((problem) => problem.endsWith(firedAlready)) && lost.length === timelines.length) return 'fired';
  throw new VnmError(
    'failed',
    `not every gateway could be armed (${refused.join('; ')}), nor disarmed: ${lost.join('; ')}`,
  );
}

/** What each gateway did, and when; those that did nothing do it now. */
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
      // Its clock was set after it had been read, and its instant is another.
      if (done.state === 'armed') await run.agents.get(timeline.node).call('cancel', { id });
      if (done.state === 'fired') return recordsOf(timeline, done, startAt, clocks);
      const errors = done.actions.flatMap(({ error }) => (error === undefined ? [] : [error]));
      const why = errors.length === 0 ? done.state : `${done.state}: ${errors.join('; ')}`;
      run.context.report({
        kind: 'note',
        text: `gateway ${timeline.gateway} did not redirect by itself (${why}); it does so now`,
      });
      return command(run, timeline, startAt, clocks);
    }),
  );
  const problems = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ gateway: timelines[index]!.gateway, reason: outcome.reason as unknown }] : [],
  );
  if (problems.length === 0) return outcomes.flatMap((o) => (o.status === 'fulfilled' ? o.value : []));
  const away = problems.every(({ reason }) => reason instanceof VnmError && reason.code === 'unreachable');
  const list = problems.map(({ gateway, reason }) => `gateway ${gateway}: ${messageOf(reason)}`).join('; ');
  throw away
    ? new VnmError('unreachable', `not every gateway says that it has redirected: ${list}`)
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

/** Late, and so be it. */
async function command(
  { agents, slice, vn, gated }: Run,
  { gateway, node, actions }: Timeline,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const records: RedirectionRecord[] = [];
  for (const action of actions) {
    if (action.kind !== 'redirect') continue;
    const done = await agents.get(node).call('redirect', { groups: action.groups });
    records.push(recordOf(gateway, startAt + action.offsetMs, done, clocks.get(node)!));
  }
  // What it holds may have been closed and never opened.
  const gates = gated ? removeGates(planAccess(slice, vn)).get(node) : undefined;
  if (gates !== undefined) await applyAll(agents, new Map([[node, gates]]));
  return records;
}

/** On a busy machine the last action may still be under way. An agent that was started anew knows of nothing: `missed`. */
async function resultsOf(agents: Agents, node: string, id: string): Promise<ArmedResults> {
  const startMs = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const options = { timeoutMs: resultsTimeoutMs };
      const results = await agents.get(node).call('armed_results', { id, forget: true }, options);
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
