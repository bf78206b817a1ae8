import { VnmError } from '../model/errors.ts';
import { memoryRange } from '../model/machine.ts';
import { quote } from './words.ts';

export const memoryPattern = /^(\d+)([MG])$/;

/** Parses memory like `128M` or `2G` to MiB. Throws VnmError `invalid-input`. */
export function parseMemory(text: string): number {
  const [, digits, unit] = memoryPattern.exec(text) ?? [];
  if (digits === undefined) {
    throw new VnmError('invalid-input', `${quote(text)} is no amount of memory`, { hint: 'write it like 128M or 2G' });
  }
  const mib = Number(digits) * (unit === 'G' ? 1024 : 1);
  const [least, most] = memoryRange;
  if (mib >= least && mib <= most) return mib;
  throw new VnmError('invalid-input', `a virtual machine cannot have ${quote(text)} of memory`, {
    hint: `${least}M to ${most / 1024}G`,
  });
}
