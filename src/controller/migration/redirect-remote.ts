import type { ClockEstimate } from '../../clock/exchange.ts';
import { sleep } from '../../clock/sleep.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import type { Decision } from './decide.ts';
import { recordOf } from './record.ts';
import { redirectionsOf } from './redirections.ts';
import type { Recorded, Run } from './types.ts';

/**
 * Step 5, commanded by the controller (the paper's remote scheduling): each gateway gets its redirection over the open
 * channel at its instant. Instants are by the controller's clock, each known to within `clockBoundMs`.
 */
export async function redirectRemotely(
  run: Run,
  fresh: Recorded,
  { schedule }: Decision,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const startAt = run.agents.clock.wallMs();
  const outcomes = await Promise.allSettled(
    redirectionsOf(run, fresh.instance, schedule).map(async ({ gateway, node, offsetMs, groups }) => {
      if (offsetMs > 0) await sleep(offsetMs);
      const done = await run.agents.get(node).call('redirect', { groups });
      return recordOf(gateway, startAt + offsetMs, done, clocks.get(node)!);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
