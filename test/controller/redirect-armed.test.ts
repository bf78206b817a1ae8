/** Arming at gateways that are only played: what they are told, and by which clock. */
import { expect, it } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock/clock.ts';
import type { ClockEstimate } from '../../src/clock/exchange.ts';
import type { Agents } from '../../src/controller/agents.ts';
import { declaredFlowPaths } from '../../src/controller/flow-paths.ts';
import { decide } from '../../src/controller/migration/decide.ts';
import { redirectArmed } from '../../src/controller/migration/redirect-armed.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { noUncertainty } from '../../src/planning/loss/uncertainty.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;
const [first, second] = vn.gateways.map(({ node }) => node) as [string, string];
const placements = { old: vn.placements.get('initial')!, fresh: vn.placements.get('final')! };
const recorded = (placement: 'old' | 'fresh', slot: number) =>
  ({ record: { id: slot }, instance: planInstance(slice, vn, placements[placement], slot) }) as unknown as Run['old'];

/** Gateways with clocks that are so far off; what each was armed with. */
async function redirectWith(offsets: ReadonlyMap<string, number>, measured: ReadonlyMap<string, number>) {
  const clock = steadyClock(systemClock);
  const armed = new Map<string, number>();
  const notes: string[] = [];
  const gateway = (node: string) => ({
    call: async (method: string, params: { at: number; actions: { offsetMs: number }[] }) => {
      const now = clock.wallMs() + offsets.get(node)!;
      if (method === 'clock') return { receivedAt: now, sentAt: now };
      if (method === 'arm') {
        armed.set(node, params.at);
        return {};
      }
      if (method === 'cancel') return { result: 'cancelled' };
      const at = armed.get(node)!;
      return { state: 'fired', actions: [{ plannedAt: at, startedAt: at, finishedAt: at }] };
    },
  });
  const agents = { slice, clock, get: gateway, missing: new Map() } as unknown as Agents;
  const run = {
    context: { report: ({ text }: { text: string }) => notes.push(text) },
    agents,
    slice,
    vn,
    old: recorded('old', 0),
    gated: false,
  } as unknown as Run;
  const flows = declaredFlowPaths(slice, vn, placements.old, placements.fresh, 1500);
  const decision = await decide(vn, 'simultaneous', { urpf: 'feasible', granularity: 'gateway' }, flows, noUncertainty);
  const estimates = new Map(
    [...measured].map(([node, offsetMs]): [string, ClockEstimate] => [
      node,
      { offsetMs, boundMs: 1, measuredAtMs: clock.monotonicMs(), source: 'exchange' },
    ]),
  );
  const records = await redirectArmed(run, recorded('fresh', 1), decision, estimates);
  return { apartMs: armed.get(second)! - armed.get(first)!, notes, gateways: records.map((record) => record.gateway) };
}

it('gives every gateway the common instant by its own clock', async () => {
  const offsets = new Map([
    [first, 0],
    [second, 3_600_000],
  ]);
  const { apartMs, notes, gateways } = await redirectWith(offsets, offsets);
  expect(apartMs).toBeCloseTo(3_600_000, 3);
  expect(notes).toEqual([]);
  expect(gateways).toEqual(vn.gateways.map(({ name }) => name));
});

it('reads a clock anew that was set after it had been measured', async () => {
  const offsets = new Map([
    [first, 0],
    [second, -700],
  ]);
  const measured = new Map([
    [first, 0],
    [second, 0],
  ]);
  const { apartMs, notes } = await redirectWith(offsets, measured);
  expect(Math.abs(apartMs + 700)).toBeLessThan(100);
  expect(notes).toEqual([`the clock of ${second} was set; it is read anew`]);
});
