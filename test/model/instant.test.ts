import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isoInstant, isoInstantOrNull } from '../../src/model/instant.ts';

it.each([
  [0, '1970-01-01T00:00:00.000Z'],
  [1_764_500_000_123, '2025-11-30T10:53:20.123Z'],
  [5000.1, '1970-01-01T00:00:05.000100Z'],
  [5000.9999, '1970-01-01T00:00:05.001Z'],
  [999.9996, '1970-01-01T00:00:01.000Z'],
  [1_764_500_000_123.25, '2025-11-30T10:53:20.123250Z'],
  [-0.5, '1969-12-31T23:59:59.999500Z'],
])('isoInstant formats %d as %s', (unixMs, text) => {
  expect(isoInstant(unixMs)).toBe(text);
});

it('isoInstant preserves the order of instants, and each instant to the ms', () => {
  const instant = fc.double({ min: 0, max: 4e12, noNaN: true });
  fc.assert(
    fc.property(instant, instant, (a, b) => {
      expect(Math.abs(Date.parse(isoInstant(a)) - a)).toBeLessThanOrEqual(1);
      const [first, second] = [a, b].map((ms) => isoInstant(ms).replace('Z', '').padEnd(26, '0'));
      if (Math.round(a * 1000) < Math.round(b * 1000)) expect(first! < second!).toBe(true);
    }),
  );
});

it('isoInstantOrNull returns null for null', () => {
  expect(isoInstantOrNull(null)).toBeNull();
});
