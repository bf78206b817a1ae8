import { VnmError } from '../../model/errors.ts';
import type { GatewayName } from '../../model/names.ts';
import type { Flow } from '../../model/slice.ts';
import type { FlowPath } from './types.ts';

const defaultPayloadBytes = 1470;
/** Ethernet, IPv4 and UDP. */
const headerBytes = 14 + 20 + 8;

/**
 * Combines a declared flow with its path. Rates count payload bits, as in iperf; a packet has 1470 payload bytes by
 * default.
 */
export function flowPath(
  flow: Flow,
  path: Pick<FlowPath, 'source' | 'destination' | 'oldMs' | 'newMs' | 'oldSpreadMs' | 'newSpreadMs'>,
): FlowPath {
  const payloadBytes = flow.payloadBytes ?? defaultPayloadBytes;
  const ratePerMs = flow.rateBps / (8 * payloadBytes) / 1000;
  return {
    from: flow.from,
    to: flow.to,
    ...path,
    ratePerMs,
    weight: ratePerMs * flow.priority,
    packetBytes: payloadBytes + headerBytes,
  };
}

/**
 * Returns the flow for an old instance that delivers nothing, for example because a router's node is dead: there is
 * nothing to lose, and no old latency. The old latency becomes the new one, so that nothing waits for it, and the
 * weight becomes 0, so that it does not influence schedules.
 */
export function withoutOldPath(flow: FlowPath): FlowPath {
  return { ...flow, oldMs: flow.newMs, oldSpreadMs: 0, weight: 0, isOldDown: true };
}

/**
 * Returns the flow with the slowest old and the fastest new path that its probes allow: its worst case, because loss
 * and reordering grow with `oldMs - newMs` (docs/loss-model.md).
 */
export function atWorst(flow: FlowPath): FlowPath {
  return { ...flow, oldMs: flow.oldMs + (flow.oldSpreadMs ?? 0), newMs: flow.newMs - (flow.newSpreadMs ?? 0) };
}

/**
 * Whether a flow enters the VN. One between two end hosts of the same gateway does not, and no migration affects it.
 */
export function crossesNetwork(flow: FlowPath): boolean {
  return flow.source !== flow.destination;
}

/**
 * Throws VnmError `invalid-input` for a flow with a number that is not finite, a negative rate or weight, or a gateway
 * that is not among `gateways`: it would silently corrupt a schedule.
 */
export function checkFlowPaths(flows: readonly FlowPath[], gateways: readonly GatewayName[]): void {
  const known = new Set(gateways);
  for (const flow of flows) {
    const fault = faultOf(flow, known);
    if (fault !== undefined) throw new VnmError('invalid-input', `flow ${flow.from} -> ${flow.to}: ${fault}`);
  }
}

function faultOf(flow: FlowPath, gateways: ReadonlySet<GatewayName>): string | undefined {
  for (const gateway of [flow.source, flow.destination]) {
    if (!gateways.has(gateway)) return `gateway '${gateway}' is not among the gateways (${[...gateways].join(', ')})`;
  }
  for (const name of ['oldMs', 'newMs', 'ratePerMs', 'weight', 'oldSpreadMs', 'newSpreadMs'] as const) {
    if (!Number.isFinite(flow[name] ?? 0)) return `${name} is ${flow[name]}`;
  }
  for (const name of ['ratePerMs', 'weight'] as const) {
    if (flow[name] < 0) return `${name} is negative (${flow[name]})`;
  }
  return undefined;
}
