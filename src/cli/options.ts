/** Options with typed values. An invalid value is a usage error that names the option. */
import { InvalidArgumentError, Option } from 'commander';
import { VnmError } from '../model/errors.ts';
import { parseRate } from '../slicefile/index.ts';
import { parseDuration } from './duration.ts';

export function countOption(flags: string, description: string, usual: number): Option {
  return numberOption(flags, description, usual, 999_999);
}

export function portOption(flags: string, description: string, usual: number): Option {
  return numberOption(flags, description, usual, 65_535);
}

/** An option that is a limit: without it there is none. */
export function limitOption(flags: string, description: string, [least, most]: readonly [number, number]): Option {
  return new Option(flags, description).argParser((text: string) => {
    if (/^\d{1,12}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  });
}

/** An option whose value is a duration in ms. */
export function durationOption(flags: string, description: string, usual: string): Option {
  return new Option(flags, description).argParser(parseDurationArgument).default(parseDuration(usual), usual);
}

/** An option whose value is an instant in Unix ms, given as an instant or as a duration before now. */
export function sinceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) => {
    const instant = /^\d+[a-z]+$/.test(text) ? Date.now() - parseDurationArgument(text) : parseInstant(text);
    if (Number.isFinite(instant)) return instant;
    throw new InvalidArgumentError('Write it like 90s, 10m, 2h, 7d, 2026-12-01 or 2026-12-01T03:00Z.');
  });
}

/** Unix ms of an instant or of a day, which begins at midnight UTC; NaN for other text. */
function parseInstant(text: string): number {
  const isInstant = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  return isInstant ? Date.parse(text) : Number.NaN;
}

/** Parses a percentage like `0.5` or `2%` to a fraction. */
export function parsePercent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,6})?)%?$/.exec(text);
  const percent = Number(match?.[1]);
  if (match !== null && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('Give a percentage from 0 to 100.');
}

/** Parses a rate to bit/s. */
export function parseRateArgument(text: string): number {
  try {
    return parseRate(text);
  } catch (error) {
    if (error instanceof VnmError) throw new InvalidArgumentError('Write it like 1.5Mbps, 800kbps or 2Gbps.');
    throw error;
  }
}

/** Parses a rate to bit/s; null for no limit. */
export function parseLimitArgument(text: string): number | null {
  if (text === 'none') return null;
  if (/^0+(\.0+)?(?![\d.])/.test(text)) {
    throw new InvalidArgumentError('A rate of 0 lets nothing pass: use --loss 100%. For no limit give none.');
  }
  return parseRateArgument(text);
}

/** Returns a parser of times in ms like `25`, `2.5` or `25ms`. */
export function millisecondsArgument(most: number): (text: string) => number {
  return (text) => {
    const [, digits] = /^(\d{1,9}(?:\.\d{1,6})?)(?:ms)?$/.exec(text) ?? [];
    if (digits !== undefined && Number(digits) <= most) return Number(digits);
    throw new InvalidArgumentError(`Give milliseconds from 0 to ${most}, like 25 or 2.5.`);
  };
}

function numberOption(flags: string, description: string, usual: number, most: number): Option {
  const parse = (text: string) => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
    throw new InvalidArgumentError(`Give a whole number from 0 to ${most}.`);
  };
  return new Option(flags, description).argParser(parse).default(usual);
}

function parseDurationArgument(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    throw new InvalidArgumentError('Write it like 90s, 5m or 2h.');
  }
}
