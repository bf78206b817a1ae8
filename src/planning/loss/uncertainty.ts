import { VnmError } from '../../model/errors.ts';
import type { GatewayName } from '../../model/names.ts';
import type { FlowPath, FlowTiming, GatewayTiming, Uncertainty } from './types.ts';

/** Every gateway exactly on time: for declared latencies, and for the nominal loss. */
export const noUncertainty: Uncertainty = new Map();

const exact: GatewayTiming = { clockMs: 0, latenessMs: 0, gateLatenessMs: 0 };

/** The timing of a gateway; a gateway that is not in the map acts exactly on time. */
export function timingOf(uncertainty: Uncertainty, gateway: GatewayName): GatewayTiming {
  return uncertainty.get(gateway) ?? exact;
}

/** Throws VnmError `invalid-input` for a number that is infinite or negative: it would silently corrupt a schedule. */
export function checkUncertainty(uncertainty: Uncertainty): void {
  for (const [gateway, timing] of uncertainty) {
    for (const name of ['clockMs', 'latenessMs', 'gateLatenessMs'] as const) {
      if (timing[name] >= 0 && Number.isFinite(timing[name])) continue;
      throw new VnmError('invalid-input', `gateway '${gateway}': ${name} is ${timing[name]}`);
    }
  }
}

/**
 * How far the difference of two redirections may be from the planned one, in ms: both clocks may be off, and each
 * redirection may be late, but never early.
 */
export function timingUncertainty(source: GatewayTiming, destination: GatewayTiming): FlowTiming {
  const clocksMs = source.clockMs + destination.clockMs;
  return {
    earlyMs: clocksMs + source.latenessMs,
    lateMs: clocksMs + destination.latenessMs,
    widestMs: clocksMs + Math.max(source.latenessMs, destination.latenessMs),
  };
}

/**
 * `timingUncertainty` between the two gateways of a flow. An uncertain latency counts like a late redirection: a slower
 * old path like a late source, a faster new path like a late destination.
 */
export function flowTiming(
  flow: Pick<FlowPath, 'source' | 'destination' | 'oldSpreadMs' | 'newSpreadMs'>,
  uncertainty: Uncertainty,
): FlowTiming {
  const timing = timingUncertainty(timingOf(uncertainty, flow.source), timingOf(uncertainty, flow.destination));
  const [oldSpreadMs, newSpreadMs] = [flow.oldSpreadMs ?? 0, flow.newSpreadMs ?? 0];
  return {
    earlyMs: timing.earlyMs + oldSpreadMs,
    lateMs: timing.lateMs + newSpreadMs,
    widestMs: timing.widestMs + Math.max(oldSpreadMs, newSpreadMs),
  };
}
