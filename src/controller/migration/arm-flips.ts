/**
 * Flips of links at one instant, armed at the nodes like redirections. Unlike these they need not all happen: both
 * places of a router forward, so the flips may come in any order, and what was not done is done by a batch.
 */
import { randomBytes } from 'node:crypto';
import type { ClockEstimate } from '../../clock/exchange.ts';
import { sleep } from '../../clock/sleep.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { neighbourNodes } from '../../planning/neighbourhood.ts';
import type { Armable } from '../../vsys/armable.ts';
import { resultsOf } from './redirect-armed.ts';
import type { Run } from './types.ts';

type FlipAction = Extract<Armable, { kind: 'flow' | 'neighbour' }>;

/** What one neighbour does. */
export interface ArmedFlip {
  readonly name: string;
  readonly node: NodeName;
  readonly action: {
    readonly [Kind in FlipAction['kind']]: Omit<Extract<FlipAction, { kind: Kind }>, 'offsetMs'>;
  }[FlipAction['kind']];
}

/** Unix ms by the controller's clock. */
export interface FlipTimes {
  readonly name: string;
  readonly plannedAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** Arming may take so much longer than its trial. */
const armingFactor = 3;
const marginMs = 150;
/** After the instant, how long to wait before asking for the results. */
const collectMarginMs = 20;

/**
 * Arms the flips, waits, and returns those that were done at the instant. `clocks`: of their nodes. Throws VnmError
 * `failed` if not all nodes could be armed; then none is.
 */
export async function armFlips(
  run: Run,
  flips: readonly ArmedFlip[],
  clocks: ReadonlyMap<NodeName, ClockEstimate>,
): Promise<FlipTimes[]> {
  if (flips.length === 0) return [];
  const { agents, context } = run;
  const byNode = Map.groupBy(flips, ({ node }) => node);
  const armed = [...byNode].map(([node, some]) => ({
    node,
    names: some.map(({ name }) => name),
    actions: some.map(({ action }) => ({ ...action, offsetMs: 0 }) as Armable),
  }));
  const beganMs = agents.clock.monotonicMs();
  await Promise.all(
    armed.map(({ node, actions }) =>
      agents.get(node).call('arm', { id: 'trial', at: agents.clock.wallMs(), actions, dryRun: true }),
    ),
  );
  const leadMs = armingFactor * (agents.clock.monotonicMs() - beganMs) + marginMs;
  const id = `f${randomBytes(6).toString('hex')}`;
  context.store.migrations.progress(run.id!, { armedId: id });
  const startAt = agents.clock.wallMs() + leadMs;
  const outcomes = await Promise.allSettled(
    armed.map(({ node, actions }) =>
      agents.get(node).call('arm', { id, at: startAt + clocks.get(node)!.offsetMs, actions }),
    ),
  );
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [messageOf(outcome.reason)] : []));
  if (refused.length > 0) {
    await cancelOn(run, [...byNode.keys()], id);
    throw new VnmError('failed', `not every neighbour could be armed: ${refused.join('; ')}`);
  }
  await sleep(Math.max(0, startAt - agents.clock.wallMs()) + collectMarginMs);
  const results = await Promise.all(
    armed.map(async ({ node, names }) => {
      const { state, actions } = await resultsOf(agents, node, id);
      // Its clock was set meanwhile.
      if (state === 'armed') await cancelOn(run, [node], id);
      return actions.flatMap(({ startedAt, finishedAt, error }, index): FlipTimes[] => {
        if (error !== undefined) context.report({ kind: 'note', text: `${names[index]}: ${error}; flipping it now` });
        if (error !== undefined || startedAt === undefined || finishedAt === undefined) return [];
        const { offsetMs } = clocks.get(node)!;
        return [
          {
            name: names[index]!,
            plannedAt: startAt,
            startedAt: startedAt - offsetMs,
            finishedAt: finishedAt - offsetMs,
          },
        ];
      });
    }),
  );
  return results.flat();
}

/** Makes sure that nothing armed by an earlier step, or an earlier controller, is still to happen. */
export async function disarmFlips(run: Run): Promise<void> {
  const { context, agents, old, id } = run;
  const armedId = context.store.migrations.find(id!)?.armedId ?? null;
  if (armedId === null) return;
  const { instance } = old;
  const moving = [...(instance.moving ?? [])];
  const nodes = moving.flatMap(([router, node]) => [node, ...neighbourNodes(instance, router)]);
  await cancelOn(
    run,
    [...new Set(nodes)].filter((node) => !agents.missing.has(node)),
    armedId,
  );
}

/** A node that knows nothing of it has nothing to cancel. */
async function cancelOn({ agents }: Run, nodes: readonly NodeName[], id: string): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      try {
        await agents.get(node).call('cancel', { id });
      } catch (error) {
        if (!(error instanceof VnmError && error.code === 'not-found')) throw error;
      }
    }),
  );
}
