import { describe, expect, it } from 'vitest';
import { probedPairs, probeUntilSteady } from '../../src/controller/probe/measure-paths.ts';
import type { ProbedPath } from '../../src/controller/probe/path-latency.ts';
import type { VirtualNetwork } from '../../src/model/slice.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

describe('probedPairs', () => {
  const vn = readSlice(gallery('three-node')).vns[0]!;
  const flow = (from: string, to: string) => ({ from, to, rateBps: 1e6, priority: 1 });

  it('probedPairs returns each pair of gateways once, whatever the direction of flows', () => {
    expect(probedPairs(vn)).toEqual([
      ['ga', 'gb'],
      ['gb', 'gc'],
      ['ga', 'gc'],
    ]);
    const one: VirtualNetwork = { ...vn, flows: [flow('ec', 'ea')] };
    expect(probedPairs(one)).toEqual([['ga', 'gc']]);
  });

  it('probedPairs leaves out flows that stay at one gateway', () => {
    const endHosts = vn.endHosts.map((endHost) => ({ ...endHost, gateway: 'ga' }));
    expect(probedPairs({ ...vn, endHosts })).toEqual([]);
  });
});

describe('probeUntilSteady', () => {
  /** Probes of a path of 240 ms each way; those to `b` are late by `lateMs`. */
  const both = (lateMs: number): [ProbedPath, ProbedPath] => {
    const path = (from: string, to: string, late: number): ProbedPath => {
      const delayMs = { min: 240, median: 240 + late, p99: 240 + 2 * late, max: 240 + 2 * late };
      return { from, to, probes: 50, report: { received: 50, dropped: 0, delayMs }, correctionMs: 0, clockBoundMs: 1 };
    };
    return [path('a', 'b', lateMs), path('b', 'a', 1)];
  };

  /** What is measured when the rounds are late by these times, and how many rounds it took. */
  async function measured(most: number, ...lateMs: number[]) {
    let rounds = 0;
    const [there, back] = await probeUntilSteady(most, async (round) => {
      rounds = round;
      return both(lateMs[round - 1]!);
    });
    return { rounds, there, back };
  }

  it('probing ends after one round that can be trusted', async () => {
    expect(await measured(4, 1)).toMatchObject({ rounds: 1, there: { medianMs: 241, isSteady: true } });
  });

  it('probing continues while the probes of either direction are late, and uses the stable rounds', async () => {
    const { rounds, there, back } = await measured(4, 238, 150, 2);
    expect({ rounds, there, back }).toMatchObject({
      rounds: 3,
      there: { medianMs: 242, isSteady: true, probes: 150 },
      back: { medianMs: 241, isSteady: true },
    });
  });

  it('probing ends after the last round with a result that is marked as not steady', async () => {
    const { rounds, there } = await measured(4, 238, 200, 150, 180);
    expect({ rounds, there }).toMatchObject({ rounds: 4, there: { medianMs: 390, spreadMs: 150, isSteady: false } });
  });
});
