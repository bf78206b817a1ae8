import { describe, expect, it } from 'vitest';
import { parseTracking } from '../../src/clock/chrony.ts';

/** As `chronyc -c tracking` prints it, with fields replaced by their place. */
function line(changes: Record<number, string> = {}): string {
  const fields =
    'CB00710F,203.0.113.15,3,1485510557.123456789,0.000006523,-0.000006747,0.000035822,-3.225,-0.000,0.129,0.013639022,0.001100737,64.2,Normal';
  return `${fields
    .split(',')
    .map((field, place) => changes[place] ?? field)
    .join(',')}\n`;
}

describe('parseTracking', () => {
  it('reads a clock that is slow', () => {
    const reading = parseTracking(line());
    expect(reading).toMatchObject({ kind: 'chrony', name: '203.0.113.15' });
    expect(reading?.offsetMs).toBeCloseTo(-0.006523, 9);
    expect(reading?.boundMs).toBeCloseTo(0.006523 + 1.100737 + 13.639022 / 2, 9);
  });

  it('reads a clock that is fast', () => {
    const reading = parseTracking(line({ 4: '-0.250000000' }));
    expect(reading?.offsetMs).toBeCloseTo(250, 9);
    expect(reading?.boundMs).toBeCloseTo(250 + 1.100737 + 13.639022 / 2, 9);
  });

  it.each(['Insert second', 'Delete second'])('takes "%s" for synchronised', (leap) => {
    expect(parseTracking(line({ 13: leap }))).toMatchObject({ kind: 'chrony' });
  });

  it.each([
    ['not synchronised', line({ 13: 'Not synchronised' })],
    ['without a source', line({ 0: '00000000', 1: '', 2: '0' })],
    ['its own source', line({ 0: '7F7F0101', 1: '' })],
    ['of another form', line({ 4: '' })],
    ['longer', `${line().trim()},1`],
    ['no answer', '506 Cannot talk to daemon\n'],
    ['empty', ''],
  ])('knows nothing of UTC where chrony is %s', (_, csv) => {
    expect(parseTracking(csv)).toBeUndefined();
  });
});
