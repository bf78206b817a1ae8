import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockEstimate } from '../../clock/exchange.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { planAccess } from '../../planning/instance.ts';
import { requiredLeadMs } from '../../planning/schedule/instants.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import type { ArmedResults, ParamsInput } from '../../vsys/messages.ts';
import type { Agents } from '../agents.ts';
import type { Decision } from './decide.ts';
import { recordOf } from './record.ts';
import { redirectionsOf } from './redirections.ts';
import type { Recorded, Run } from './types.ts';

type ArmedAction = ParamsInput<'arm'>['actions'][number];

/** Of the lead: what arming may take beyond the round trips measured before. Where that was not enough, it is tried with the next. */
const leadMarginsMs = [500, 1500, 4000];
/** After the last action: time for it to be done before its result is asked for, and asked again, so many times. */
const collectMarginMs = 20;
const collectAttempts = 150;
/** A gateway that does not even answer that may have been armed, and fires. */
const disarmTimeoutMs = 5000;
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
 * Throws VnmError `failed` when a gateway could not be armed, or did not fire as it should.
 */
export async function redirectArmed(
  run: Run,
  fresh: Recorded,
  decision: Decision,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const timelines = timelinesOf(run, fresh, decision);
  const { id, startAt } = await armInTime(run, decision, timelines, clocks);
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

/** Arms all, or none; with more lead where a busy machine or a slow way made it too late. */
async function armInTime(
  run: Run,
  decision: Decision,
  timelines: readonly Timeline[],
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<{ id: string; startAt: number }> {
  for (const [attempt, marginMs] of leadMarginsMs.entries()) {
    const id = `m${randomBytes(6).toString('hex')}`;
    const { leadMs, answerMs } = await leadFor(run, decision, timelines, marginMs);
    const startAt = run.agents.clock.wallMs() + leadMs;
    const refused = await armAll(run, timelines, id, startAt, clocks, answerMs);
    if (refused.length === 0) return { id, startAt };
    const message = `not every gateway could be armed, so none redirects: ${refused.join('; ')}`;
    if (attempt === leadMarginsMs.length - 1) throw new VnmError('failed', message);
    run.context.signal?.throwIfAborted();
    run.context.report({ kind: 'note', text: `${message}; once more with more lead` });
  }
  throw new RangeError('no lead to try');
}

/**
 * How far the common instant must be from now, by the round trips of something as small as arming: so that a gateway that has
 * not confirmed within `answerMs` leaves time to disarm the others before the first of them does anything.
 */
async function leadFor(
  { agents }: Run,
  { schedule }: Decision,
  timelines: readonly Timeline[],
  marginMs: number,
): Promise<{ leadMs: number; answerMs: number }> {
  const armingMs = await Promise.all(
    timelines.map(async ({ node }) => {
      const askedAt = performance.now();
      await agents.get(node).call('clock', {});
      return performance.now() - askedAt;
    }),
  );
  const slowestMs = Math.max(...armingMs);
  const leadMs = requiredLeadMs(schedule, { armingMs, disarmMs: slowestMs, marginMs });
  return { leadMs, answerMs: slowestMs + marginMs / 2 };
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

/** What each gateway did, and when. */
async function collect(
  { agents }: Run,
  timelines: readonly Timeline[],
  id: string,
  startAt: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const records = await Promise.all(
    timelines.map(async ({ gateway, node, actions }) => {
      const { state, actions: done } = await resultsOf(agents, node, id);
      const errors = done.flatMap(({ error }) => (error === undefined ? [] : [error]));
      if (state !== 'fired' || errors.length > 0) {
        throw new VnmError('failed', `gateway ${gateway} did not redirect (${state}): ${errors.join('; ')}`);
      }
      return actions.flatMap((action, index) => {
        const { startedAt, finishedAt } = done[index]!;
        if (action.kind !== 'redirect' || startedAt === undefined || finishedAt === undefined) return [];
        return [recordOf(gateway, startAt + action.offsetMs, { startedAt, finishedAt }, clocks.get(node)!)];
      });
    }),
  );
  return records.flat();
}

/** On a busy machine the last action may still be under way. */
async function resultsOf(agents: Agents, node: string, id: string): Promise<ArmedResults> {
  for (let attempt = 1; ; attempt += 1) {
    const results = await agents.get(node).call('armed_results', { id, forget: true });
    if (results.state !== 'armed' || attempt === collectAttempts) return results;
    await sleep(collectMarginMs);
  }
}
