import { expect, test } from 'vitest';
import { durationText, parseDuration } from '../../src/cli/duration.ts';

test.each([
  ['250ms', 250],
  ['90s', 90_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
])('%s is parsed to %d ms and formatted again', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(durationText(ms)).toBe(text);
});

test('durationText uses the largest unit that divides the duration', () => {
  expect(['60s', '120m', '1500ms', '0s'].map((text) => durationText(parseDuration(text)))).toEqual([
    '1m',
    '2h',
    '1500ms',
    '0ms',
  ]);
});

test.each(['5', 's', '1.5h', '-1s', '1 h', '5m ', '9999999999s'])("parseDuration refuses '%s'", (text) => {
  expect(() => parseDuration(text)).toThrow(`'${text}' is not a duration`);
});
