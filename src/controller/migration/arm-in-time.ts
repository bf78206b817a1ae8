/** Arms all gateways before the first of them must act (decision 17). */
import { randomBytes } from 'node:crypto';
import { agree, type ClockEstimate, estimateFrom } from '../../clock/exchange.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { requiredLeadMs } from '../../planning/schedule/instants.ts';
import { measureClocks } from '../nodes/clocks.ts';
import type { Decision } from './decide.ts';
import { disarm } from './disarm.ts';
import { type Timeline, timelinesOf } from './timelines.ts';
import type { Recorded, Run } from './types.ts';

/**
 * Margins of the lead: how much longer arming may take than in the trial. If one is too short, the next is tried; the
 * first is enough for nodes that are not busy.
 */
const leadMarginsMs = [60, 500, 1500, 4000];
/** How many times longer than its trial arming may take. */
const armingFactor = 2;

export interface InTime {
  readonly id: string;
  readonly startAt: number;
  /** The clocks that the instants were computed with; read again if one was set since they were measured. */
  readonly clocks: ReadonlyMap<string, ClockEstimate>;
}

/**
 * Makes every gateway start what its redirections need, before anything is time-critical. Throws as
 * `AgentConnection.call`.
 */
export async function makeReady(run: Run, fresh: Recorded, decision: Decision): Promise<void> {
  await Promise.all(timelinesOf(run, fresh, decision).map((timeline) => tryOut(run, timeline)));
}

/** Does everything that arming does, except holding the actions. */
async function tryOut({ agents }: Run, { node, actions }: Timeline): Promise<void> {
  await agents.get(node).call('arm', { id: 'trial', at: agents.clock.wallMs(), actions, dryRun: true });
}

/**
 * Arms all gateways or none; tries again with more lead when a busy machine or a slow path made it too late. Throws
 * VnmError `failed` when every lead was too short, or as `disarm`.
 */
export async function armInTime(
  run: Run,
  fresh: Recorded,
  decision: Decision,
  timelines: readonly Timeline[],
  measured: ReadonlyMap<string, ClockEstimate>,
): Promise<InTime> {
  const clocks = new Map(measured);
  for (const [attempt, marginMs] of leadMarginsMs.entries()) {
    const id = `m${randomBytes(6).toString('hex')}`;
    const { leadMs, answerMs, set } = await leadFor(run, decision, timelines, marginMs, clocks);
    if (set.length > 0) {
      run.context.report({ kind: 'note', text: `the clock of ${set.join(', ')} was set; reading it again` });
      for (const [node, estimate] of await measureClocks(run.agents, set)) clocks.set(node, estimate);
    }
    const startAt = run.agents.clock.wallMs() + leadMs;
    if (run.id !== undefined) run.context.store.migrations.progress(run.id, { armedId: id });
    const refused = await armAll(run, timelines, id, startAt, clocks, answerMs);
    if (refused.length === 0) return { id, startAt, clocks };
    if ((await disarm(run, [run.old, fresh], timelines, id, refused)) === 'fired') return { id, startAt, clocks };
    const message = `not every gateway could be armed, so none redirects: ${refused.join('; ')}`;
    if (attempt === leadMarginsMs.length - 1) throw new VnmError('failed', message);
    run.context.signal?.throwIfAborted();
    run.context.report({ kind: 'note', text: `${message}; trying again with more lead` });
  }
  throw new RangeError('no lead to try');
}

/**
 * Computes how far away the common instant must be, from a trial of arming on each node: if a gateway has not confirmed
 * within `answerMs`, there is time to disarm the others before the first of them acts. `set`: nodes whose clock was set
 * since it was measured.
 */
async function leadFor(
  run: Run,
  { schedule }: Decision,
  timelines: readonly Timeline[],
  marginMs: number,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<{ leadMs: number; answerMs: number; set: string[] }> {
  const { agents } = run;
  const set: string[] = [];
  const armingMs = await Promise.all(
    timelines.map(async (timeline) => {
      const { node } = timeline;
      const [sentMs, sentAtMs] = [agents.clock.wallMs(), agents.clock.monotonicMs()];
      const { receivedAt, sentAt } = await agents.get(node).call('clock', {});
      const [receivedMs, nowMs] = [agents.clock.wallMs(), agents.clock.monotonicMs()];
      const exchange = { sentMs, remoteReceivedMs: receivedAt, remoteSentMs: sentAt, receivedMs };
      if (!agree(estimateFrom(exchange, sentAtMs), clocks.get(node)!, nowMs)) set.push(node);
      await tryOut(run, timeline);
      return armingFactor * (agents.clock.monotonicMs() - nowMs);
    }),
  );
  const slowestMs = Math.max(...armingMs);
  const leadMs = requiredLeadMs(schedule, { armingMs, disarmMs: slowestMs, marginMs });
  return { leadMs, answerMs: slowestMs + marginMs / 2, set };
}

/** Arms all gateways. Returns the errors of those that did not confirm; empty if all hold their actions. */
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
  return armed.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [`${timelines[index]!.gateway}: ${messageOf(outcome.reason)}`] : [],
  );
}
