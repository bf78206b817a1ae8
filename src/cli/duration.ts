import { VnmError } from '../model/errors.ts';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a duration like `90s`, `5m` or `2h` to ms. Throws VnmError `invalid-input`. */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (amount === undefined) {
    throw new VnmError('invalid-input', `'${text}' is not a duration`, { hint: 'write it like 90s, 5m or 2h' });
  }
  return Number(amount) * unitMs[unit!]!;
}

/** Formats a duration in the largest unit that it is a multiple of. */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(unitMs).findLast(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
