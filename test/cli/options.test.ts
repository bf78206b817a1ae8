import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import {
  countOption,
  durationOption,
  millisecondsArgument,
  parseLimitArgument,
  portOption,
  sinceOption,
} from '../../src/cli/options.ts';

const options = () =>
  new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addOption(countOption('--retries <n>', '', 3))
    .addOption(portOption('--port <number>', '', 8473))
    .addOption(durationOption('--retry-wait <duration>', '', '60s'));

it('an option has its default or the given value', () => {
  expect(options().parse([], { from: 'user' }).opts()).toEqual({ retries: 3, port: 8473, retryWait: 60_000 });
  const given = ['--retries', '0', '--port', '65535', '--retry-wait', '5m'];
  expect(options().parse(given, { from: 'user' }).opts()).toEqual({ retries: 0, port: 65_535, retryWait: 300_000 });
});

it.each([
  ['--retries', 'x', "option '--retries <n>' argument 'x' is invalid. Give a whole number from 0 to 999999."],
  ['--retries', '-1', "option '--retries <n>' argument '-1' is invalid. Give a whole number from 0 to 999999."],
  ['--retries', '1e3', "option '--retries <n>' argument '1e3' is invalid. Give a whole number from 0 to 999999."],
  ['--port', '65536', "option '--port <number>' argument '65536' is invalid. Give a whole number from 0 to 65535."],
  ['--retry-wait', '5', "option '--retry-wait <duration>' argument '5' is invalid. Write it like 90s, 5m or 2h."],
])('an error about %s %s names the option', (name, value, message) => {
  expect(() => options().parse([name, value], { from: 'user' })).toThrow(`error: ${message}`);
});

describe('--since', () => {
  const since = (text: string) =>
    new Command()
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .addOption(sinceOption('--since <when>', ''))
      .parse(['--since', text], { from: 'user' })
      .opts<{ since: number }>().since;

  it('--since accepts a duration before now, or an instant', () => {
    vi.useFakeTimers({ now: 10_000_000 });
    expect(since('10m')).toBe(9_400_000);
    vi.useRealTimers();
    expect(since('2026-12-01')).toBe(Date.UTC(2026, 11, 1));
    expect(since('2026-12-01T03:00+01:00')).toBe(Date.UTC(2026, 11, 1, 2));
  });

  it.each(['yesterday', '10', '2026', '2026-13-01', '', '2026-12-01T03:00'])(
    '--since refuses %j with an error that names the option',
    (text) => {
      expect(() => since(text)).toThrow(`error: option '--since <when>' argument '${text}' is invalid. Write it like `);
    },
  );
});

describe('the value of an option about a path', () => {
  it.each([
    ['25', 25],
    ['2.5', 2.5],
    ['0', 0],
    ['60000ms', 60_000],
  ])('%s are %d ms', (text, ms) => {
    expect(millisecondsArgument(60_000)(text)).toBe(ms);
  });

  it.each(['', '-1', '1e3', '60000.1', '5s', 'NaN'])('%j are no milliseconds', (text) => {
    expect(() => millisecondsArgument(60_000)(text)).toThrow('Give milliseconds from 0 to 60000, like 25 or 2.5.');
  });

  it('none is no limit, and a rate is one', () => {
    expect(['none', '1.5Mbps', '0.5kbps'].map(parseLimitArgument)).toEqual([null, 1_500_000, 500]);
  });

  it.each(['0', '0bps', '0.0Mbps'])('a rate of %s is refused with what to give instead', (text) => {
    expect(() => parseLimitArgument(text)).toThrow('A rate of 0 lets nothing pass: use --loss 100%.');
  });

  it.each(['-1Mbps', '5', 'fast', '01e400Gbps'])('%s is no rate', (text) => {
    expect(() => parseLimitArgument(text)).toThrow('Write it like 1.5Mbps, 800kbps or 2Gbps.');
  });
});
