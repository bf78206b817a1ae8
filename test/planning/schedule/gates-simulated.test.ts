import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { UrpfMode } from '../../../src/model/route.ts';
import type { FlowPath, GatewayTiming, Uncertainty } from '../../../src/planning/loss/types.ts';
import { evaluate } from '../../../src/planning/schedule/evaluate.ts';
import { acceptOldUntilMs } from '../../../src/planning/schedule/instants.ts';
import { makeSchedule } from '../../../src/planning/schedule/make.ts';
import type { Gate, ScheduleName } from '../../../src/planning/schedule/types.ts';
import { flowsBetween } from '../arbitraries.ts';
import { type RealGateway, sendPackets } from '../packets.ts';

const gateways = ['a', 'b', 'c'];

/** The actual behaviour of a gateway: its clock is ahead by `aheadMs`, and its actions are late. */
interface Reality {
  readonly timing: GatewayTiming;
  readonly aheadMs: number;
  readonly lateMs: number;
  readonly gateLateMs: number;
}

const reality: fc.Arbitrary<Reality> = fc.nat(15).chain((clockMs) =>
  fc.tuple(fc.nat(20), fc.nat(20)).chain(([latenessMs, gateLatenessMs]) =>
    fc.record({
      timing: fc.constant({ clockMs, latenessMs, gateLatenessMs }),
      aheadMs: fc.integer({ min: -clockMs, max: clockMs }),
      lateMs: fc.nat(latenessMs),
      gateLateMs: fc.nat(gateLatenessMs),
    }),
  ),
);
const realities = fc
  .tuple(reality, reality, reality)
  .map((all) => new Map(gateways.map((name, index) => [name, all[index]!])));

/** Converts to true instants, with T at 0 on every gateway's clock. */
function act({ aheadMs, lateMs, gateLateMs }: Reality, gate: Gate | undefined): RealGateway {
  const redirectedAt = lateMs - aheadMs;
  if (gate === undefined) return { redirectedAt };
  const closedAt = gateLateMs - gate.closeBeforeMs - aheadMs;
  return { redirectedAt, gate: { closedAt, openedAt: Math.max(redirectedAt, gate.releaseAfterMs - aheadMs) } };
}

/** The latency that probes measure: arrival on the destination's clock minus sending on the source's. */
function measured(flow: FlowPath, real: ReadonlyMap<string, Reality>): FlowPath {
  const errorMs = real.get(flow.destination)!.aheadMs - real.get(flow.source)!.aheadMs;
  return { ...flow, oldMs: flow.oldMs + errorMs, newMs: flow.newMs + errorMs };
}

const cases: { name: ScheduleName; urpf: UrpfMode; latency: 'declared' | 'measured' }[] = [
  { name: 'drain', urpf: 'strict', latency: 'declared' },
  { name: 'drain', urpf: 'strict', latency: 'measured' },
  { name: 'drain', urpf: 'feasible', latency: 'measured' },
  { name: 'hold', urpf: 'feasible', latency: 'declared' },
  { name: 'hold', urpf: 'loose', latency: 'measured' },
];

test.each(cases)(
  '$name under $urpf, latencies $latency: a simulation loses and reorders nothing, and delays no packet longer than predicted',
  async ({ name, urpf, latency }) => {
    await fc.assert(
      fc.asyncProperty(flowsBetween(gateways, 0, 60), realities, async (flows, real) => {
        const known = latency === 'measured' ? flows.map((flow) => measured(flow, real)) : flows;
        const uncertainty: Uncertainty = new Map([...real].map(([gateway, { timing }]) => [gateway, timing]));
        const request = { gateways, flows: known, urpf, granularity: 'gateway', uncertainty } as const;
        const schedule = makeSchedule(name, request);
        const outcomes = evaluate(schedule, known, urpf, uncertainty).flows;
        for (const [index, flow] of flows.entries()) {
          const [source, destination] = [flow.source, flow.destination].map((gateway) =>
            act(real.get(gateway)!, schedule.gates.get(gateway)),
          );
          const ends = { source: source!, destination: destination! };
          const { lostMs, reorderedMs, maxHeldMs } = sendPackets({ ...flow, ...ends }, urpf, -300, 300);
          expect([lostMs, reorderedMs]).toEqual([0, 0]);
          expect(maxHeldMs).toBeLessThanOrEqual(outcomes[index]!.addedDelayMs);
          const lastOnOldAt = Math.min(ends.source.redirectedAt, ends.source.gate?.closedAt ?? 0) + flow.oldMs;
          expect(lastOnOldAt + real.get(flow.destination)!.aheadMs).toBeLessThanOrEqual(
            acceptOldUntilMs(schedule, known, uncertainty),
          );
        }
      }),
      { numRuns: 60 },
    );
  },
);

test('drain without uncertainty closes the gate for exactly the predicted delay', async () => {
  const flow = {
    from: 'x',
    to: 'y',
    source: 'a',
    destination: 'b',
    oldMs: 40,
    newMs: 25,
    ratePerMs: 1,
    weight: 1,
    packetBytes: 1,
  };
  const uncertainty: Uncertainty = new Map();
  const request = { gateways, flows: [flow], urpf: 'strict', granularity: 'gateway', uncertainty } as const;
  const schedule = makeSchedule('drain', request);
  const exact = { timing: { clockMs: 0, latenessMs: 0, gateLatenessMs: 0 }, aheadMs: 0, lateMs: 0, gateLateMs: 0 };
  const source = act(exact, schedule.gates.get('a'));
  const run = (gate: RealGateway['gate']) =>
    sendPackets(
      { ...flow, source: { ...source, ...(gate && { gate }) }, destination: act(exact, undefined) },
      'strict',
      -99,
      99,
    );
  expect(run(source.gate)).toEqual({ lostMs: 0, reorderedMs: 0, maxHeldMs: 39.75 });
  expect(run({ closedAt: -39, openedAt: 0 }).lostMs).toBe(1);
});
