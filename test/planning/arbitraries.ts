import fc from 'fast-check';
import type { FlowPath, GatewayTiming, Uncertainty } from '../../src/planning/loss/types.ts';

/** Names that would break the solver's input format. */
export const gatewayNames = ['g-1', 'free', 'st', 'e-2 '] as const;

/** A flow in which only the given fields matter. */
export function flowOf(source: string, destination: string, oldMs: number, newMs: number, weight = 1): FlowPath {
  const [from, to] = [`host-${source}`, `host-${destination}`];
  return { from, to, source, destination, oldMs, newMs, ratePerMs: 1, weight, packetBytes: 1512 };
}

/** Flows between the gateways, from none to a full mesh, with whole ms and weights. */
export function flowsBetween(gateways: readonly string[], minMs: number, maxMs: number): fc.Arbitrary<FlowPath[]> {
  const ms = fc.integer({ min: minMs, max: maxMs });
  const directions = gateways.flatMap((a) => gateways.filter((b) => b !== a).map((b): [string, string] => [a, b]));
  return fc
    .subarray(directions)
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map(([a, b]) =>
          fc
            .tuple(ms, ms, fc.integer({ min: 0, max: 5 }))
            .map(([oldMs, newMs, weight]) => flowOf(a, b, oldMs, newMs, weight)),
        ),
      ),
    );
}

/** A timing of each gateway, in whole ms. */
export function timings(gateways: readonly string[], maxMs: number): fc.Arbitrary<Uncertainty> {
  const ms = fc.integer({ min: 0, max: maxMs });
  const timing: fc.Arbitrary<GatewayTiming> = fc.record({ clockMs: ms, latenessMs: ms, gateLatenessMs: ms });
  return fc
    .tuple(...gateways.map(() => timing))
    .map((all) => new Map(gateways.map((name, index) => [name, all[index]!])));
}
