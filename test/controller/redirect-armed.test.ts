/** Arming simulated gateways: the requests to them, and the clocks of the instants. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock/clock.ts';
import type { ClockEstimate } from '../../src/clock/exchange.ts';
import { decide } from '../../src/controller/migration/decide.ts';
import { declaredFlowPaths } from '../../src/controller/migration/flow-paths.ts';
import { redirectArmed } from '../../src/controller/migration/redirect-armed.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { timeLimits } from '../../src/model/patience.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { noUncertainty } from '../../src/planning/loss/uncertainty.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { inPlayedTime } from '../support/played-time.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;
const [first, second] = vn.gateways.map(({ node }) => node) as [string, string];
const placements = { old: vn.placements.get('initial')!, fresh: vn.placements.get('final')! };
const recorded = (placement: 'old' | 'fresh', slot: number) =>
  ({ record: { id: slot }, instance: planInstance(slice, vn, placements[placement], slot) }) as unknown as Run['old'];

/** Gateways with clocks that are off by these times; records what each was armed with. */
async function redirectWith(
  offsets: ReadonlyMap<string, number>,
  measured: ReadonlyMap<string, number>,
  behave: (node: string, method: string, params: { dryRun?: boolean }) => Promise<unknown> = async () => undefined,
) {
  const clock = steadyClock(systemClock);
  const armed = new Map<string, number>();
  const notes: string[] = [];
  const gateway = (node: string) => ({
    limits: timeLimits(),
    call: async (method: string, params: { at: number; actions: { offsetMs: number }[]; dryRun?: boolean }) => {
      const own = await behave(node, method, params);
      if (own !== undefined) return own;
      const now = clock.wallMs() + offsets.get(node)!;
      if (method === 'clock') return { receivedAt: now, sentAt: now };
      if (method === 'arm') {
        if (params.dryRun) return {};
        armed.set(node, params.at);
        return {};
      }
      if (method === 'cancel') return { result: 'cancelled' };
      const at = armed.get(node)!;
      return { state: 'fired', actions: [{ plannedAt: at, startedAt: at, finishedAt: at }] };
    },
  });
  const agents = { slice, clock, get: gateway, missing: new Map(), resilient: () => true } as unknown as Agents;
  const run = {
    context: { report: ({ text }: { text: string }) => notes.push(text) },
    ...planVn(slice, vn),
    names: agents,
    agents,
    old: recorded('old', 0),
    gated: false,
    urpf: 'feasible',
  } as unknown as Run;
  const flows = declaredFlowPaths(slice, vn, placements.old, placements.fresh, 1500);
  const decision = decide(vn, 'simultaneous', { urpf: 'feasible', granularity: 'gateway' }, flows, noUncertainty);
  const estimates = new Map(
    [...measured].map(([node, offsetMs]): [string, ClockEstimate] => [
      node,
      { offsetMs, boundMs: 1, measuredAtMs: clock.monotonicMs(), source: 'exchange' },
    ]),
  );
  const records = await redirectArmed(run, recorded('fresh', 1), decision, estimates);
  return { apartMs: armed.get(second)! - armed.get(first)!, notes, gateways: records.map((record) => record.gateway) };
}

it('every gateway gets the common instant by its own clock', () =>
  inPlayedTime(async () => {
    const offsets = new Map([
      [first, 0],
      [second, 3_600_000],
    ]);
    const { apartMs, notes, gateways } = await redirectWith(offsets, offsets);
    expect(apartMs).toBeCloseTo(3_600_000, 3);
    expect(notes).toEqual([]);
    expect(gateways).toEqual(vn.gateways.map(({ name }) => name));
  }));

it('a clock that was set after it had been measured is read again', () =>
  inPlayedTime(async () => {
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
    expect(notes).toEqual([`the clock of ${second} was set; reading it again`]);
  }));

const exact = new Map([
  [first, 0],
  [second, 0],
]);
const names = vn.gateways.map(({ name }) => name);

it('the lead allows each gateway the arming time of its trial', () =>
  inPlayedTime(async () => {
    let tries = 0;
    const { notes, gateways } = await redirectWith(exact, exact, async (node, method, { dryRun }) => {
      if (node !== second || method !== 'arm') return undefined;
      if (!dryRun) tries += 1;
      // Longer than any margin alone would allow for.
      await sleep(400);
      return undefined;
    });
    expect(notes).toEqual([]);
    expect(tries).toBe(1);
    expect(gateways).toEqual(names);
  }));

/** The second gateway refuses the first arming. */
function refuseOnce(): (method: string, dryRun: boolean | undefined) => void {
  let isFirst = true;
  return (method, dryRun) => {
    if (method !== 'arm' || dryRun || !isFirst) return;
    isFirst = false;
    throw new VnmError('timeout', "no answer to 'arm' within 259 ms");
  };
}

it('a gateway that had redirected before it could be cancelled is redirected back, and arming is tried again', () =>
  inPlayedTime(async () => {
    const refuse = refuseOnce();
    const applied: string[] = [];
    let cancels = 0;
    const { notes, gateways } = await redirectWith(exact, exact, async (node, method, params) => {
      if (node === second) refuse(method, params.dryRun);
      if (method === 'cancel') {
        cancels += 1;
        if (node === first) return { result: 'fired' };
        throw new VnmError('not-found', 'nothing is or was armed');
      }
      if (method !== 'apply') return undefined;
      applied.push(node);
      return { results: [] };
    });
    expect(notes).toEqual([
      `${names[0]} had redirected before it could be cancelled, and was redirected back`,
      `not every gateway could be armed, so none redirects: ${names[1]}: no answer to 'arm' within 259 ms; trying again with more lead`,
    ]);
    expect(applied).toEqual([first]);
    expect(cancels).toBe(2);
    expect(gateways).toEqual(names);
  }));

it('cancelling is repeated at a gateway that is too slow to answer', () =>
  inPlayedTime(async () => {
    const refuse = refuseOnce();
    let cancels = 0;
    const { notes, gateways } = await redirectWith(exact, exact, async (node, method, params) => {
      if (node !== second) return undefined;
      refuse(method, params.dryRun);
      if (method === 'cancel' && ++cancels < 3) throw new VnmError('timeout', "no answer to 'cancel' within 5000 ms");
      return undefined;
    });
    expect(notes).toHaveLength(1);
    expect(cancels).toBe(3);
    expect(gateways).toEqual(names);
  }));
