import { describe, expect, it } from 'vitest';
import type { Placement, VirtualNetwork } from '../../src/model/slice.ts';
import { placementsAvoiding } from '../../src/planning/placements.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const [three] = readSlice(gallery('three-node')).vns as [VirtualNetwork];
const placement = (places: Record<string, string>): Placement => new Map(Object.entries(places));
const vn: VirtualNetwork = {
  ...three,
  placements: new Map([
    ...three.placements,
    ['half', placement({ a: 'p1', b: 'p2', c: 'p6' })],
    ['together', placement({ a: 'p2', b: 'p2', c: 'p2' })],
  ]),
};

describe('placementsAvoiding', () => {
  it.each([
    [[], ['initial', 'final', 'half', 'together']],
    [['p1'], ['final', 'together']],
    [['p6'], ['initial', 'together']],
    [['p1', 'p2'], ['final']],
    [['p2', 'p5'], []],
    [['nosuch'], ['initial', 'final', 'half', 'together']],
  ])('placementsAvoiding %j returns %j', (dead, placements) => {
    expect(placementsAvoiding(vn, dead)).toEqual(placements);
  });

  it('placementsAvoiding returns nothing if the node of a gateway or an end host is dead', () => {
    expect(placementsAvoiding(vn, ['gb'])).toEqual([]);
    expect(placementsAvoiding(vn, ['hc', 'p1'])).toEqual([]);
  });
});
