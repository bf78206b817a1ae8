import { describe, expect, it } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import {
  askedLink,
  changeLinks,
  type DirectedLink,
  type LinkChange,
  type LinkPlan,
} from '../../../src/testbed/links/properties.ts';

const plan: LinkPlan = {
  names: ['a', 'b', 'c'],
  delaysMs: [
    [0, 10, 20],
    [15, 0, 30],
    [20, 30, 0],
  ],
  impairment: { lossRate: 0.01 },
};

const there: DirectedLink = { from: 'a', to: 'b', latencyMs: 10, jitterMs: 0, lossRate: 0.01, rateBps: null };
const back: DirectedLink = { ...there, from: 'b', to: 'a', latencyMs: 15 };

function change(fields: Partial<LinkChange>, changed: readonly DirectedLink[] = []) {
  return changeLinks(plan, changed, { from: 'a', to: 'b', isOneWay: false, reset: false, set: {}, ...fields });
}

function refusal(fields: Partial<LinkChange>, changed: readonly DirectedLink[] = []) {
  try {
    change(fields, changed);
  } catch (error) {
    if (error instanceof VnmError) return [error.code, error.message, error.hint];
    throw error;
  }
  return undefined;
}

describe('a change of a path', () => {
  it('sets what is named in both directions, and leaves the rest as it is', () => {
    const { affected, changed } = change({ set: { lossRate: 0.5 } });
    expect(affected).toEqual([
      { ...there, lossRate: 0.5 },
      { ...back, lossRate: 0.5 },
    ]);
    expect(changed).toEqual(affected);
    const more = change({ set: { jitterMs: 3 } }, changed);
    expect(more.changed).toEqual([
      { ...there, lossRate: 0.5, jitterMs: 3 },
      { ...back, lossRate: 0.5, jitterMs: 3 },
    ]);
  });

  it('is about one direction if that is asked', () => {
    const { affected, changed } = change({ isOneWay: true, set: { rateBps: 1e6 } });
    expect([affected, changed]).toEqual([[{ ...there, rateBps: 1e6 }], [{ ...there, rateBps: 1e6 }]]);
    expect(askedLink(plan, changed, { from: 'b', to: 'a' })).toEqual(back);
  });

  it('is forgotten by a reset, and by a change back', () => {
    const { changed } = change({ set: { lossRate: 0.5, rateBps: 1e6 } });
    expect(change({ reset: true }, changed)).toEqual({ affected: [there, back], changed: [] });
    expect(change({ set: { lossRate: 0.01, rateBps: null } }, changed).changed).toEqual([]);
    expect(change({ reset: true, set: { jitterMs: 1 } }, changed).affected).toEqual([
      { ...there, jitterMs: 1 },
      { ...back, jitterMs: 1 },
    ]);
  });

  it('leaves other paths as they are', () => {
    const { changed } = change({ to: 'c', set: { lossRate: 1 } });
    expect(change({ set: { lossRate: 1 } }, changed).changed).toHaveLength(4);
    expect(change({ reset: true }, changed).changed).toEqual(changed);
  });

  it('is refused for an unknown node and for a node given twice', () => {
    expect(refusal({ to: 'x' })).toEqual(['not-found', "the testbed has no node 'x'", 'its nodes are a, b, c']);
    expect(refusal({ to: 'a' })).toEqual(['invalid-input', "node 'a' is given twice", 'a path is between two nodes']);
  });

  it('is refused if packets would arrive before they are sent, in either direction', () => {
    const hint = 'no packet arrives before it is sent: give a smaller --jitter or a larger --latency';
    expect(refusal({ from: 'b', to: 'a', set: { jitterMs: 12 } })).toEqual([
      'invalid-input',
      "the jitter from 'a' to 'b' would be 12 ms, more than the latency of 10 ms",
      hint,
    ]);
    const { changed } = change({ set: { jitterMs: 10 } });
    expect(refusal({ set: { latencyMs: 9 } }, changed)?.[1]).toBe(
      "the jitter from 'a' to 'b' would be 10 ms, more than the latency of 9 ms",
    );
  });
});
