/** Decides when each redirection executes: makes the schedule from what was measured, and predicts its losses. */

import { systemClock } from '../../clock/clock.ts';
import { boundAt } from '../../clock/exchange.ts';
import type { NodeName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { FlowPath, Uncertainty } from '../../planning/loss/types.ts';
import { type Evaluation, evaluate } from '../../planning/schedule/evaluate.ts';
import { makeSchedule } from '../../planning/schedule/make.ts';
import type { Granularity, Schedule, ScheduleName } from '../../planning/schedule/types.ts';
import type { Agents } from '../nodes/agents.ts';
import type { NodeClock } from '../nodes/clocks.ts';

/** A schedule with its inputs and its predicted effect. */
export interface Decision {
  readonly schedule: Schedule;
  readonly flows: readonly FlowPath[];
  readonly uncertainty: Uncertainty;
  readonly evaluation: Evaluation;
}

export function decide(
  vn: VirtualNetwork,
  name: ScheduleName,
  options: { urpf: UrpfMode; granularity: Granularity; offsetsMs?: ReadonlyMap<string, number> },
  flows: readonly FlowPath[],
  uncertainty: Uncertainty,
): Decision {
  const gateways = vn.gateways.map((gateway) => gateway.name);
  const made = makeSchedule(name, { gateways, flows, uncertainty, ...options });
  const { offsetsMs } = options;
  const schedule: Schedule = offsetsMs === undefined ? made : { ...made, granularity: 'gateway', offsetsMs };
  return { schedule, flows, uncertainty, evaluation: evaluate(schedule, flows, options.urpf, uncertainty) };
}

/** Samples of a gateway's timer; the worst of them is taken as the lateness of its redirection. */
const lagSamples = 20;
/** Added to the lateness: the time until a redirection, or the closing of a gate, takes effect. */
const executionMs = 1;

/** How late each gateway's timer is now, in ms, at worst. */
export type TimerLags = ReadonlyMap<string, number>;

export async function timerLags(agents: Agents, vn: VirtualNetwork): Promise<TimerLags> {
  const lags = vn.gateways.map(async ({ name, node }) => [name, await timerLagMs(agents, node)] as const);
  return new Map(await Promise.all(lags));
}

/**
 * How exactly each gateway keeps its instants: its clock as estimated, and its timer's lag as measured; a command of
 * the controller (no `lags`) takes a round trip.
 */
export function timingOfGateways(
  vn: VirtualNetwork,
  clocks: ReadonlyMap<string, NodeClock>,
  lags: TimerLags | undefined,
): Uncertainty {
  const nowMs = systemClock.monotonicMs();
  return new Map(
    vn.gateways.map(({ name, node }) => {
      const clock = clocks.get(node)!;
      const latenessMs = (lags === undefined ? clock.roundTripMs : lags.get(name)!) + executionMs;
      return [name, { clockMs: boundAt(clock, nowMs), latenessMs, gateLatenessMs: latenessMs }];
    }),
  );
}

async function timerLagMs(agents: Agents, node: NodeName): Promise<number> {
  const { lagMs } = await agents.get(node).call('timer_lag', { samples: lagSamples });
  return Math.max(...lagMs);
}
