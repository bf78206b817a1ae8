/** Optimal schedules as two linear programs for HiGHS: slow, but another way to the same optimum. */
import type { FlowPath, Uncertainty } from '../../src/planning/loss/types.ts';
import { flowTiming } from '../../src/planning/loss/uncertainty.ts';
import type { GatewayOffsets, Group } from '../../src/planning/schedule/offsets.ts';
import { type LinearProgram, minimise, type Term } from './linear-solver.ts';

type Row = LinearProgram['rows'][number];

/** How far the weighted loss may rise in the second program: relative, and in lost ms of the heaviest flow. */
const tolerance = 1e-9;

/**
 * Finds the instants with the least weighted worst-case loss under strict uRPF, and among these the instants with the
 * smallest maximum lost time of any flow. A flow's lost time is convex and piecewise linear in the difference of two
 * instants (`strictLossMs`), so both steps are linear programs with one variable per gateway (`t0`, ...; the first is
 * the anchor) and one per flow (`z0`, ...: its lost time).
 */
export async function optimalByHighs({ gateways, flows }: Group, uncertainty: Uncertainty): Promise<GatewayOffsets> {
  if (flows.length === 0) return new Map(gateways.map((gateway) => [gateway, 0]));
  const instants = new Map(gateways.map((gateway, index) => [gateway, `t${index}`]));
  const rows = flows.flatMap((flow, index) => lossRows(flow, `z${index}`, instants, uncertainty));
  const bounds = [
    't0 = 0',
    ...gateways.slice(1).map((_, index) => `t${index + 1} free`),
    ...flows.map((flow, index) => `z${index} >= ${Math.max(0, flow.oldMs - flow.newMs)}`),
  ];
  const loss = weightedLoss(flows);
  const least = await minimise({ objective: loss, rows, bounds });
  const fairest = await minimise({
    objective: [plus('largest')],
    rows: [...rows, noWorseThan(least.objective, loss), ...loss.map(({ variable }) => noMoreThanLargest(variable))],
    bounds,
  });
  return new Map(gateways.map((gateway) => [gateway, fairest.values.get(instants.get(gateway)!)!]));
}

function noWorseThan(least: number, loss: readonly Term[]): Row {
  const terms = loss.map(({ factor, variable }) => ({ factor: -factor, variable }));
  return { terms, atLeast: -least - tolerance * Math.max(1, least) };
}

function noMoreThanLargest(lost: string): Row {
  return { terms: [plus('largest'), minus(lost)], atLeast: 0 };
}

/** z >= old + a - (td - ts) and z >= (td - ts) + b - new; the third part of the loss, old - new, is a bound of z. */
function lossRows(
  flow: FlowPath,
  lost: string,
  instants: ReadonlyMap<string, string>,
  uncertainty: Uncertainty,
): readonly Row[] {
  const { earlyMs, lateMs } = flowTiming(flow, uncertainty);
  const source = instants.get(flow.source)!;
  const destination = instants.get(flow.destination)!;
  return [
    { terms: [plus(lost), plus(destination), minus(source)], atLeast: flow.oldMs + earlyMs },
    { terms: [plus(lost), minus(destination), plus(source)], atLeast: lateMs - flow.newMs },
  ];
}

/** Weights are relative to the heaviest flow, because the solver's tolerances are absolute. */
function weightedLoss(flows: readonly FlowPath[]): Term[] {
  const heaviest = Math.max(...flows.map(({ weight }) => weight)) || 1;
  return flows.map(({ weight }, index) => ({ factor: weight / heaviest, variable: `z${index}` }));
}

function plus(variable: string): Term {
  return { factor: 1, variable };
}

function minus(variable: string): Term {
  return { factor: -1, variable };
}
