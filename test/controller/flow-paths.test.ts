import { describe, expect, it } from 'vitest';
import { measuredFlowPaths } from '../../src/controller/migration/flow-paths.ts';
import type { PathLatency } from '../../src/controller/probe/path-latency.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const vn = readSlice(gallery('three-node')).vns[0]!;

function measured(
  from: string,
  to: string,
  medianMs: number,
  lost = 0,
  spread = { spreadMs: 1, isSteady: true },
): PathLatency {
  const reportedMs = { min: medianMs, median: medianMs };
  const quality = {
    jitterMs: 0,
    ...spread,
    probes: 10,
    lost,
    clockBoundMs: 0.1,
    basis: 'one-way',
    reportedMs,
  } as const;
  return { from, to, minMs: medianMs, medianMs, ...quality };
}

const both = (one: string, other: string, ms: number, lost = 0) => [
  measured(one, other, ms, lost),
  measured(other, one, ms, lost),
];
const fresh = [...both('ga', 'gb', 11), ...both('gb', 'gc', 12), ...both('ga', 'gc', 13)];

describe('measuredFlowPaths', () => {
  it('measuredFlowPaths uses the medians of both instances', () => {
    const old = [...both('ga', 'gb', 21, 9), ...both('gb', 'gc', 22), ...both('ga', 'gc', 23)];
    const paths = measuredFlowPaths(vn, old, fresh, 1450);
    expect(paths.map(({ source, destination, oldMs, newMs }) => [source, destination, oldMs, newMs])).toEqual([
      ['ga', 'gb', 21, 11],
      ['gb', 'ga', 21, 11],
      ['gb', 'gc', 22, 12],
      ['gc', 'gb', 22, 12],
      ['ga', 'gc', 23, 13],
      ['gc', 'ga', 23, 13],
    ]);
    expect(paths.filter(({ weight, isOldDown }) => weight === 0 || isOldDown)).toEqual([]);
  });

  it('measuredFlowPaths includes the spread of probes that cannot be trusted', () => {
    const unsteady = { spreadMs: 238, isSteady: false };
    const old = [
      measured('ga', 'gb', 478, 0, unsteady),
      measured('gb', 'ga', 21),
      ...both('gb', 'gc', 22),
      ...both('ga', 'gc', 23),
    ];
    const paths = measuredFlowPaths(vn, old, fresh, 1450);
    expect(paths.map(({ oldSpreadMs, newSpreadMs }) => [oldSpreadMs, newSpreadMs])).toEqual([
      [238, undefined],
      ...Array.from({ length: 5 }, () => [undefined, undefined]),
    ]);
  });

  it('a measured flow has no old path if no probe arrived over it', () => {
    const old = [
      ...both('ga', 'gb', Number.NaN, 10),
      ...both('gb', 'gc', 22),
      measured('ga', 'gc', 23),
      measured('gc', 'ga', Number.NaN, 10),
    ];
    const paths = measuredFlowPaths(vn, old, fresh, 1450);
    expect(paths.map(({ oldMs, weight, isOldDown }) => [oldMs, weight > 0, isOldDown ?? false])).toEqual([
      [11, false, true],
      [11, false, true],
      [22, true, false],
      [22, true, false],
      [23, true, false],
      [13, false, true],
    ]);
  });

  it('the latency of a measured flow is NaN if no probe arrived over the new instance and none is declared', () => {
    const old = [...both('ga', 'gb', 21), ...both('gb', 'gc', 22), ...both('ga', 'gc', 23)];
    const broken = [...fresh.slice(2), ...both('ga', 'gb', Number.NaN, 10)];
    expect(measuredFlowPaths(vn, old, broken, 1450).map(({ newMs }) => newMs)).toEqual([
      Number.NaN,
      Number.NaN,
      12,
      12,
      13,
      13,
    ]);
  });
});
