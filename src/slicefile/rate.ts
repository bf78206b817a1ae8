import { VnmError } from '../model/errors.ts';
import { quote } from './words.ts';

export const ratePattern = /^(\d+(?:\.\d+)?) ?([kMG]?)(?:bps|b\/s|bit\/s)$/;

const exponents = new Map([
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
]);

/** The highest rate that the agent's traffic generator accepts. */
const maxRateBps = 1e11;

/** Parses a rate like `1.5Mbps`, `800kbps` or `2Gb/s` to bits per second. Throws VnmError `invalid-input`. */
export function parseRate(text: string): number {
  const [, digits, prefix] = ratePattern.exec(text) ?? [];
  if (digits === undefined || prefix === undefined) {
    const hint = /^\d+(\.\d+)?$/.test(text) ? `add a unit, like ${text}bps` : 'write it like 1.5Mbps, 800kbps or 2Gbps';
    throw new VnmError('invalid-input', `${quote(text)} is not a rate`, { hint });
  }
  // Parsed as one decimal literal, because 1.1 * 1e6 is not 1100000.
  const rateBps = Number(`${digits}e${exponents.get(prefix)}`);
  if (rateBps === 0) throw new VnmError('invalid-input', 'the rate is zero', { hint: 'remove the flow instead' });
  if (rateBps > maxRateBps) {
    throw new VnmError('invalid-input', `the rate ${quote(text)} is too high`, { hint: 'at most 100Gbps' });
  }
  return rateBps;
}
