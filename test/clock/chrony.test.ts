import { describe, expect, it } from 'vitest';
import { parseTracking } from '../../src/clock/chrony.ts';

/** The output of `chronyc -c tracking`, with fields replaced by position. */
function line(changes: Record<number, string> = {}): string {
  const fields =
    'CB00710F,203.0.113.15,3,1485510557.123456789,0.000006523,-0.000006747,0.000035822,-3.225,-0.000,0.129,0.013639022,0.001100737,64.2,Normal';
  return `${fields
    .split(',')
    .map((field, place) => changes[place] ?? field)
    .join(',')}\n`;
}

describe('parseTracking', () => {
  it('parseTracking reads a slow clock', () => {
    const reading = parseTracking(line());
    expect(reading).toMatchObject({ kind: 'chrony', name: '203.0.113.15' });
    expect(reading?.offsetMs).toBeCloseTo(-0.006523, 9);
    expect(reading?.boundMs).toBeCloseTo(0.006523 + 1.100737 + 13.639022 / 2, 9);
  });

  it('parseTracking reads a fast clock', () => {
    const reading = parseTracking(line({ 4: '-0.250000000' }));
    expect(reading?.offsetMs).toBeCloseTo(250, 9);
    expect(reading?.boundMs).toBeCloseTo(250 + 1.100737 + 13.639022 / 2, 9);
  });

  it.each(['Insert second', 'Delete second'])('parseTracking treats the leap status "%s" as synchronised', (leap) => {
    expect(parseTracking(line({ 13: leap }))).toMatchObject({ kind: 'chrony' });
  });

  it.each([
    ['from an unsynchronised chrony', line({ 13: 'Not synchronised' })],
    ['from a chrony without a source', line({ 0: '00000000', 1: '', 2: '0' })],
    ['from a chrony that is its own source', line({ 0: '7F7F0101', 1: '' })],
    ['malformed', line({ 4: '' })],
    ['too long', `${line().trim()},1`],
    ['an error message', '506 Cannot talk to daemon\n'],
    ['empty', ''],
  ])('parseTracking returns nothing for a line that is %s', (_, csv) => {
    expect(parseTracking(csv)).toBeUndefined();
  });
});
