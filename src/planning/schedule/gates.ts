import { overtakenMs } from '../loss/feasible.ts';
import { atWorst, crossesNetwork } from '../loss/flow-path.ts';
import type { FlowPath, GatewayTiming, Uncertainty } from '../loss/types.ts';
import { flowTiming, timingOf } from '../loss/uncertainty.ts';
import type { Gate, Schedule } from './types.ts';

/**
 * The gates of `hold`, for feasible or loose uRPF: each is closed when its gateway redirects, and opens when packets on
 * the new path can no longer overtake packets on the old one. Only differences of latencies matter, so clocks need not
 * agree. A gateway whose packets cannot be overtaken needs no gate.
 */
export function holdGates(flows: readonly FlowPath[], uncertainty: Uncertainty): Map<string, Gate> {
  const gates = new Map<string, Gate>();
  for (const [gateway, own] of flowsBySource(flows)) {
    const releaseAfterMs = Math.max(...own.map((flow) => overtakenMs(atWorst(flow))));
    if (releaseAfterMs === 0) continue;
    gates.set(gateway, { closeBeforeMs: timingOf(uncertainty, gateway).gateLatenessMs, releaseAfterMs });
  }
  return gates;
}

/**
 * The gates of `drain`, for any uRPF mode: all close early enough that nothing is in flight when the first gateway
 * redirects, and open late enough that nothing on the new path arrives before the last gateway has redirected. A
 * gateway where no flow starts needs no gate.
 */
export function drainGates(flows: readonly FlowPath[], uncertainty: Uncertainty): Map<string, Gate> {
  const gates = new Map<string, Gate>();
  for (const [gateway, own] of flowsBySource(flows)) {
    const inFlightMs = own.map((flow) => flow.oldMs + flowTiming(flow, uncertainty).widestMs);
    const tooEarlyMs = own.map((flow) => flowTiming(flow, uncertainty).widestMs - flow.newMs);
    gates.set(gateway, {
      // At least 0, even with a negative measured latency: the gate must be closed when its own gateway redirects.
      closeBeforeMs: Math.max(0, ...inFlightMs) + timingOf(uncertainty, gateway).gateLatenessMs,
      releaseAfterMs: Math.max(0, ...tooEarlyMs),
    });
  }
  return gates;
}

/** The longest time that a gate delays a packet, in ms: it opens after its gateway's redirection, which may be late. */
export function gateDelayMs(gate: Gate, timing: GatewayTiming): number {
  return gate.closeBeforeMs + Math.max(gate.releaseAfterMs, timing.latenessMs);
}

/** The capacity that a gate needs, which is also the burst that it releases. */
export interface GateRoom {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * The room that each gateway's gate needs: its delay x the rates of all flows from the gateway's end hosts, including
 * flows that stay at this gateway.
 */
export function gateRooms(
  schedule: Pick<Schedule, 'gates'>,
  flows: readonly FlowPath[],
  uncertainty: Uncertainty,
): Map<string, GateRoom> {
  const rooms = new Map<string, GateRoom>();
  const bySource = Map.groupBy(flows, ({ source }) => source);
  for (const [gateway, gate] of schedule.gates) {
    const delayMs = gateDelayMs(gate, timingOf(uncertainty, gateway));
    const held = (bySource.get(gateway) ?? []).map(({ ratePerMs, packetBytes }) => {
      return { packets: Math.ceil(ratePerMs * delayMs), packetBytes };
    });
    rooms.set(gateway, {
      packets: held.reduce((sum, { packets }) => sum + packets, 0),
      bytes: held.reduce((sum, { packets, packetBytes }) => sum + packets * packetBytes, 0),
    });
  }
  return rooms;
}

function flowsBySource(flows: readonly FlowPath[]): Map<string, FlowPath[]> {
  return Map.groupBy(flows.filter(crossesNetwork), ({ source }) => source);
}
