import { systemClock } from '../../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../../clock/exchange.ts';
import type { GatewayName } from '../../model/names.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';

/** Returns the record of a redirection, with its instants converted from the gateway's clock to the controller's. */
export function recordOf(
  gateway: GatewayName,
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
