import type { FlowPath, Uncertainty } from '../loss/types.ts';
import { flowTiming } from '../loss/uncertainty.ts';
import { type Circulation, cheapestCirculation, type Network } from './circulation.ts';
import { type Constraint, type Differences, largestValues } from './differences.ts';
import type { GatewayOffsets, Group } from './offsets.ts';

/** Units per ms: half a ns, so that the middle between two whole ns is a whole number. */
const finestUnits = 2e6;
/** Beyond, sums of instants would not be exact; then latencies are rounded more coarsely. */
const largestInstant = 2 ** 50;
/** Weights are rounded to this part of the heaviest. */
const heaviestWeight = 2 ** 50;

/**
 * Finds the instants with the least weighted worst-case loss under strict uRPF, among these the instants with the
 * smallest maximum lost time of any flow, and of these the middle: each gateway is as far from its earliest as from its
 * latest such instant, relative to the first gateway.
 *
 * A flow's lost time is convex and piecewise linear in the difference of two instants (`strictLossMs`), so the least
 * weighted loss is a linear program, whose dual is the cheapest circulation of a network with two arcs per flow (Ahuja,
 * Magnanti and Orlin, "Network Flows", 1993, section 9.4). Its flow says which differences are optimal. Exact for
 * latencies in whole ns and weights in 2^-50 of the heaviest.
 */
export function optimalOffsets({ gateways, flows }: Group, uncertainty: Uncertainty): GatewayOffsets {
  if (flows.length === 0) return new Map(gateways.map((gateway) => [gateway, 0]));
  const unitsPerMs = unitsFor(flows, gateways.length, uncertainty);
  const numbers = new Map(gateways.map((gateway, number) => [gateway, number]));
  const terms = flows.map((flow) => termOf(flow, numbers, uncertainty, unitsPerMs));
  const network = networkOf(gateways.length, terms);
  const circulation = cheapestCirculation(network);
  const fairest = fairestConstraints(network, circulation, terms);
  const instants = middleOf(fairest);
  return new Map(gateways.map((gateway, number) => [gateway, instants[number]! / unitsPerMs]));
}

/** The lost time of a flow: max(least, old - D, D - new), where D is the destination's instant minus the source's. */
interface Term {
  readonly source: number;
  readonly destination: number;
  readonly weight: number;
  readonly least: number;
  readonly old: number;
  readonly new: number;
}

function unitsFor(flows: readonly FlowPath[], gateways: number, uncertainty: Uncertainty): number {
  const largestMs = flows.reduce((most, flow) => {
    const { earlyMs, lateMs } = flowTiming(flow, uncertainty);
    return Math.max(most, Math.abs(flow.oldMs) + earlyMs + Math.abs(flow.newMs) + lateMs);
  }, 0);
  return Math.min(finestUnits, largestInstant / (2 * gateways * largestMs));
}

function termOf(
  flow: FlowPath,
  numbers: ReadonlyMap<string, number>,
  uncertainty: Uncertainty,
  unitsPerMs: number,
): Term {
  const { earlyMs, lateMs } = flowTiming(flow, uncertainty);
  const units = (ms: number) => 2 * Math.round((ms * unitsPerMs) / 2);
  const [old, fresh] = [units(flow.oldMs), units(flow.newMs)];
  return {
    source: numbers.get(flow.source)!,
    destination: numbers.get(flow.destination)!,
    weight: flow.weight,
    least: Math.max(0, old - fresh),
    old: old + units(earlyMs),
    new: fresh - units(lateMs),
  };
}

/**
 * Each flow has an arc in each direction. The loss does not change between the differences old - least and new + least;
 * where that is empty, the best difference is their middle. The costs of the arcs are these two, the capacities are the
 * flow's weight: the loss of each ms beyond.
 */
function networkOf(size: number, terms: readonly Term[]): Network {
  const heaviest = terms.reduce((most, { weight }) => Math.max(most, weight), 0) || 1;
  const arcs = terms.flatMap(({ source, destination, weight, least, old, new: fresh }) => {
    const [first, last] = [old - least, fresh + least];
    const middle = (first + last) / 2;
    const capacity = weight === 0 ? 0 : Math.max(1, Math.round((weight / heaviest) * heaviestWeight));
    return [
      { from: source, to: destination, cost: Math.max(last, middle), capacity },
      { from: destination, to: source, cost: -Math.min(first, middle), capacity },
    ];
  });
  return {
    size,
    from: Int32Array.from(arcs, ({ from }) => from),
    to: Int32Array.from(arcs, ({ to }) => to),
    cost: Float64Array.from(arcs, ({ cost }) => cost),
    capacity: Float64Array.from(arcs, ({ capacity }) => capacity),
  };
}

/**
 * The constraints of all instants that are optimal, and whose largest lost time is the smallest of these. An arc that
 * is neither empty nor full determines a difference; an empty or a full one bounds it (complementary slackness).
 *
 * The smallest maximum is found by Dinkelbach's method: as long as constraints on a circle contradict each other, the
 * maximum is raised to where these no longer do. It grows each time by at least one unit, and seldom often.
 */
function fairestConstraints(network: Network, { flow, potential }: Circulation, terms: readonly Term[]): Differences {
  const { size, from, to, cost, capacity } = network;
  // Weights whose sums are equal differ by their rounding, which must not decide which differences are optimal.
  const rounded = from.length;
  const optimal = [...from.keys()].flatMap((arc): Constraint[] => {
    const [tail, head, bound] = [from[arc]!, to[arc]!, cost[arc]!];
    return [
      ...(flow[arc]! < capacity[arc]! - rounded ? [{ from: tail, to: head, bound }] : []),
      ...(flow[arc]! > rounded ? [{ from: head, to: tail, bound: -bound }] : []),
    ];
  });
  // No flow loses less than its least, nor less than in the middle of an empty window.
  let largest = terms.reduce((most, { least, old, new: fresh }) => Math.max(most, least, (old - fresh) / 2), 0);
  for (;;) {
    const limits = new Set(terms.flatMap((term) => noMoreThan(term, largest)));
    const differences = { size, constraints: [...optimal, ...limits] };
    const found = largestValues(differences, potential);
    if ('values' in found) return differences;
    const excess = -found.circle.reduce((sum, { bound }) => sum + bound, 0);
    largest += Math.ceil(excess / found.circle.filter((constraint) => limits.has(constraint)).length);
  }
}

/** The differences with which a flow loses at most this long. */
function noMoreThan({ source, destination, old, new: fresh }: Term, largest: number): Constraint[] {
  return [
    { from: source, to: destination, bound: fresh + largest },
    { from: destination, to: source, bound: largest - old },
  ];
}

/** The mean of the latest and the earliest instants, with the first gateway at 0. */
function middleOf({ size, constraints }: Differences): Float64Array {
  const anchored = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  anchored[0] = 0;
  const latest = solved(largestValues({ size, constraints }, anchored));
  const reversed = constraints.map(({ from, to, bound }) => ({ from: to, to: from, bound }));
  const earliest = solved(largestValues({ size, constraints: reversed }, anchored));
  return latest.map((instant, gateway) => (instant - earliest[gateway]!) / 2);
}

function solved(found: ReturnType<typeof largestValues>): Float64Array {
  if ('values' in found) return found.values;
  throw new RangeError('the constraints of an optimal schedule contradict each other');
}
