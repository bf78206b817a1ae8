import { readFileSync } from 'node:fs';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { buildSlice } from './build.ts';
import { checkMeaning } from './checks.ts';
import { readYaml } from './document.ts';
import { readDraft } from './draft.ts';
import { type Fault, formatFault, type Position, sortFaults } from './fault.ts';
import { problemsOf } from './issues.ts';
import { sliceSchema } from './schema.ts';

/** `vnetAt`: where the subnet stands in the file, for `checkSubnets`. */
export type CheckedSlice = { slice: Slice; vnetAt: Position } | { faults: Fault[] };

/** The slice that `text` describes, or all its faults in the order of their positions. `file` is only named in them. */
export function checkSlice(text: string, file: string): CheckedSlice {
  const { document, faults } = readYaml(text, file);
  if (document === undefined) return { faults: sortFaults(faults) };

  const { value, positionOf } = document;
  const parsed = sliceSchema.safeParse(value);
  const shape = parsed.success ? [] : problemsOf(parsed.error.issues, value);
  const problems = [...shape, ...checkMeaning(value, readDraft(value, shape))];
  const all = [...faults, ...problems.map(({ path, at, ...words }) => ({ file, ...positionOf(path, at), ...words }))];
  if (!parsed.success || all.length > 0) return { faults: sortFaults(all) };
  return { slice: buildSlice(parsed.data), vnetAt: positionOf(['vnet'], 'value') };
}

/** The slice that `text` describes. Throws VnmError `invalid-input` whose message has a line per fault. */
export function parseSlice(text: string, file: string): Slice {
  const checked = checkSlice(text, file);
  if ('slice' in checked) return checked.slice;
  throw new VnmError('invalid-input', checked.faults.map(formatFault).join('\n'));
}

/** The slice in a file. Throws VnmError `invalid-input` as `parseSlice` and `readSliceText` do. */
export function readSlice(path: string): Slice {
  return parseSlice(readSliceText(path), path);
}

/** The text of a slice file (UTF-8). Throws VnmError `invalid-input` when it cannot be read. */
export function readSliceText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    throw new VnmError('invalid-input', `cannot read the slice file ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

const reasons = new Map<unknown, string>([
  ['ENOENT', 'there is no such file'],
  ['EISDIR', 'it is a directory'],
  ['EACCES', 'permission denied'],
  ['ERR_ENCODING_INVALID_ENCODED_DATA', 'it is not UTF-8 text'],
]);

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return reasons.get(code) ?? messageOf(error);
}
