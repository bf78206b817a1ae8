/** After an arming that not every gateway confirmed in time: none may hold anything, and none may have redirected alone. */

import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { setGroups } from '../batches/gateways.ts';
import { type Agents, applyAll } from '../nodes/agents.ts';
import type { Timeline } from './timelines.ts';
import type { Recorded, Run } from './types.ts';

const pollMs = 20;

/**
 * `disarmed`: all send into the old instance, and it can be tried again: those that had begun, since the order to cancel came too
 * late, have finished and were led back. `fired`: all held it after all, answered late, and have begun. Throws VnmError `failed` when
 * one cannot say that it will not redirect.
 */
export async function disarm(
  run: Run,
  instances: readonly [old: Recorded, fresh: Recorded],
  timelines: readonly Timeline[],
  id: string,
  refused: readonly string[],
): Promise<'disarmed' | 'fired'> {
  const outcomes = await Promise.allSettled(timelines.map(({ node }) => cancel(run.agents, node, id)));
  const lost = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [`${timelines[index]!.gateway}: ${messageOf(outcome.reason)}`] : [],
  );
  if (lost.length > 0) {
    const armed = `not every gateway could be armed (${refused.join('; ')})`;
    throw new VnmError('failed', `${armed}, nor disarmed: ${lost.join('; ')}`);
  }
  const fired = timelines.filter((_, index) => (outcomes[index] as PromiseFulfilledResult<string>).value === 'fired');
  if (fired.length === timelines.length) return 'fired';
  if (fired.length > 0) await leadBack(run, instances, fired, id);
  return 'disarmed';
}

/** A gateway that does not even answer that may have been armed, and fires: it is asked for as long as it may be silent. */
async function cancel(agents: Agents, node: NodeName, id: string): Promise<'cancelled' | 'fired'> {
  for (const startMs = performance.now(); ; ) {
    const { call, limits } = agents.get(node);
    try {
      return (await call('cancel', { id }, { timeoutMs: limits.questionMs })).result;
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      // It refused the actions, and holds nothing.
      if (error.code === 'not-found') return 'cancelled';
      if (error.code !== 'timeout' || performance.now() - startMs > limits.silenceMs) throw error;
    }
  }
}

/** Once they have done all that they held: a gate that they have closed is open again then. */
async function leadBack(
  run: Run,
  [old, fresh]: readonly [Recorded, Recorded],
  fired: readonly Timeline[],
  id: string,
): Promise<void> {
  const { agents, context } = run;
  await Promise.all(fired.map(({ node }) => finished(agents, node, id)));
  const nodes = new Set(fired.map(({ node }) => node));
  const back = setGroups(run, [old.instance, fresh.instance], old.instance);
  await applyAll(agents, new Map([...back].filter(([node]) => nodes.has(node))));
  const names = fired.map(({ gateway }) => gateway).join(', ');
  context.report({ kind: 'note', text: `${names} had redirected before it could be cancelled, and was led back` });
}

async function finished(agents: Agents, node: NodeName, id: string): Promise<void> {
  const { call, limits } = agents.get(node);
  for (;;) {
    const { state } = await call('armed_results', { id }, { timeoutMs: limits.questionMs });
    if (state !== 'armed') return;
    await sleep(pollMs);
  }
}
