import { describe, expect, it } from 'vitest';
import { clockCells, clockHeading, clockNotes } from '../../src/cli/clock-text.ts';
import { table } from '../../src/cli/output.ts';

const clock = { offsetMs: -12.3456, boundMs: 0.5, boundNowMs: 0.6, source: 'ntp', errors: [] } as const;

describe('clocks for people', () => {
  it('clockCells returns a cell for each heading, and dashes for an unreachable node', () => {
    expect(clockCells(clock)).toEqual(['-12.346', '0.500', '0.600', 'ntp']);
    expect(clockCells(undefined)).toEqual(clockHeading.map(() => '-'));
  });

  it('clockNotes reports each unusable time source once', () => {
    expect(clockNotes([clock])).toEqual([]);
    const errors = ["this machine: NTP server 'x' did not answer within 1000 ms"];
    expect(
      clockNotes([
        { ...clock, errors },
        { ...clock, errors: [...errors, 'n1: y'] },
      ]),
    ).toEqual([
      "time source not used: this machine: NTP server 'x' did not answer within 1000 ms\ntime source not used: n1: y",
    ]);
  });
});

describe('table', () => {
  it('table right-aligns latencies that are half a round trip, like all numbers', () => {
    expect(table(['min'], [['~9.50'], ['140.25']])).toBe('   min\n------\n ~9.50\n140.25');
  });
});
