import { systemClock } from '../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../clock/exchange.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { type Instance, instanceNexthop } from '../planning/instance.ts';
import type { RedirectionRecord } from '../store/migrations.ts';
import type { Agents } from './agents.ts';
import { groupsOf } from './operations.ts';

/**
 * Step 5, commanded by the controller (the paper's remote scheduling): all gateways get their redirection over the kept
 * channels at once. Instants are by the controller's clock, each known to within `clockBoundMs`.
 */
export async function redirectRemotely(
  agents: Agents,
  slice: Slice,
  vn: VirtualNetwork,
  to: Instance,
  clocks: ReadonlyMap<string, ClockEstimate>,
): Promise<RedirectionRecord[]> {
  const plannedAt = systemClock.wallMs();
  const outcomes = await Promise.allSettled(
    vn.gateways.map(async ({ name, node }) => {
      const active = instanceNexthop(slice, vn, to.slot, name);
      const groups = groupsOf(slice, vn, name).map((id) => ({ id, active }));
      const done = groups.length === 0 ? undefined : await agents.get(node).call('redirect', { groups });
      return done === undefined ? undefined : recordOf(name, plannedAt, done, clocks.get(node)!);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' && outcome.value ? [outcome.value] : []));
}

/** A redirection's instants, turned from the gateway's clock into the controller's. */
function recordOf(
  gateway: string,
  plannedAt: number,
  done: { startedAt: number; finishedAt: number },
  clock: ClockEstimate,
): RedirectionRecord {
  const startedAt = done.startedAt - clock.offsetMs;
  const finishedAt = done.finishedAt - clock.offsetMs;
  return {
    gateway,
    plannedAt,
    startedAt,
    finishedAt,
    lagMs: startedAt - plannedAt,
    executionMs: finishedAt - startedAt,
    clockBoundMs: boundAt(clock, systemClock.monotonicMs()),
  };
}
