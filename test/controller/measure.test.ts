import { describe, expect, it } from 'vitest';
import { probedPairs } from '../../src/controller/measure.ts';
import type { VirtualNetwork } from '../../src/model/slice.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

describe('probedPairs', () => {
  const vn = readSlice(gallery('three-node')).vns[0]!;
  const flow = (from: string, to: string) => ({ from, to, rateBps: 1e6, priority: 1 });

  it('has each pair of gateways once, whichever way flows go', () => {
    expect(probedPairs(vn)).toEqual([
      ['ga', 'gb'],
      ['gb', 'gc'],
      ['ga', 'gc'],
    ]);
    const one: VirtualNetwork = { ...vn, flows: [flow('ec', 'ea')] };
    expect(probedPairs(one)).toEqual([['ga', 'gc']]);
  });

  it('leaves out what stays at one gateway', () => {
    const endHosts = vn.endHosts.map((endHost) => ({ ...endHost, gateway: 'ga' }));
    expect(probedPairs({ ...vn, endHosts })).toEqual([]);
  });
});
