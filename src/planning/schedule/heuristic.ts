import type { FlowPath } from '../loss/types.ts';
import type { GatewayOffsets, Group } from './offsets.ts';

/** All flows from one gateway to another, which share one path and its latencies. */
interface Direction {
  readonly source: string;
  readonly destination: string;
  readonly weight: number;
  /** The middle of the optimal differences of the two redirections (the paper, section IV). */
  readonly differenceMs: number;
}

/**
 * The heuristic of the paper's appendix. It goes through the pairs of gateways in descending order of the weight of
 * their larger direction (ties by name). A gateway without an instant gets the one that suits this direction, for good.
 * So heavy pairs come first, and a pair whose two gateways are already set is ignored: the result can be worse than
 * `simultaneous`.
 */
export function heuristicOffsets({ gateways, flows }: Group): GatewayOffsets {
  const offsets = new Map<string, number>();
  // The smaller direction of a pair comes after the larger one, when both gateways are set, and changes nothing.
  for (const { source, destination, differenceMs } of directions(flows).sort(inOrder)) {
    if (!offsets.has(source) && !offsets.has(destination)) offsets.set(source, 0);
    const sourceMs = offsets.get(source);
    const destinationMs = offsets.get(destination);
    if (sourceMs === undefined) offsets.set(source, destinationMs! - differenceMs);
    else if (destinationMs === undefined) offsets.set(destination, sourceMs + differenceMs);
  }
  return new Map(gateways.map((gateway) => [gateway, offsets.get(gateway) ?? 0]));
}

function directions(flows: readonly FlowPath[]): Direction[] {
  const byEnds = Map.groupBy(flows, ({ source, destination }) => JSON.stringify([source, destination]));
  return [...byEnds.values()].map((group) => {
    const { source, destination, oldMs, newMs } = group[0]!;
    const weight = group.reduce((sum, flow) => sum + flow.weight, 0);
    return { source, destination, weight, differenceMs: (oldMs + newMs) / 2 };
  });
}

function inOrder(a: Direction, b: Direction): number {
  return b.weight - a.weight || byName(pairOf(a), pairOf(b)) || byName(a.source, b.source);
}

function pairOf({ source, destination }: Direction): string {
  return JSON.stringify([source, destination].sort());
}

function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
