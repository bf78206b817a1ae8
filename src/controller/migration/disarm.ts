/**
 * Disarms after not every gateway confirmed in time: no gateway may still be armed, and none may have redirected alone.
 */

import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { setGroups } from '../batches/gateways.ts';
import { type Agents, applyAll } from '../nodes/agents.ts';
import type { Timeline } from './timelines.ts';
import type { Recorded, Run } from './types.ts';

const pollMs = 20;

/**
 * `disarmed`: all gateways send into the old instance, and arming can be tried again; gateways that had fired before
 * the cancel arrived have finished and were redirected back. `fired`: all gateways were armed after all, answered late,
 * and have fired. Throws VnmError `failed` when a gateway does not confirm that it will not redirect.
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
  if (fired.length > 0) await redirectBack(run, instances, fired, id);
  return 'disarmed';
}

/**
 * Cancels at one gateway. One that does not answer may be armed, and fire: repeats for as long as a node may be silent.
 */
async function cancel(agents: Agents, node: NodeName, id: string): Promise<'cancelled' | 'fired'> {
  for (const startMs = performance.now(); ; ) {
    const { call, limits } = agents.get(node);
    try {
      return (await call('cancel', { id }, { timeoutMs: limits.questionMs })).result;
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      // It refused the actions and is not armed.
      if (error.code === 'not-found') return 'cancelled';
      if (error.code !== 'timeout' || performance.now() - startMs > limits.silenceMs) throw error;
    }
  }
}

/** Redirects gateways back after they have done all their actions: a gate that they closed is then open again. */
async function redirectBack(
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
  context.report({
    kind: 'note',
    text: `${names} had redirected before it could be cancelled, and was redirected back`,
  });
}

async function finished(agents: Agents, node: NodeName, id: string): Promise<void> {
  const { call, limits } = agents.get(node);
  for (;;) {
    const { state } = await call('armed_results', { id }, { timeoutMs: limits.questionMs });
    if (state !== 'armed') return;
    await sleep(pollMs);
  }
}
