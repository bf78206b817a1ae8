import { VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { buildSlice } from './build.ts';
import { checkBgpAddresses } from './checks/bgp-addresses.ts';
import { checkCapacity } from './checks/capacity.ts';
import { checkMeaning } from './checks.ts';
import { readConfigFile, readConfigs } from './configs.ts';
import { readYaml } from './document.ts';
import { readDraft } from './draft.ts';
import { type Fault, formatFault, type Position, sortFaults } from './fault.ts';
import { readText } from './file-text.ts';
import { type ImageFile, readImageFile, readImages } from './images.ts';
import { sliceFileSchema } from './json-schema.ts';
import { isMap, valueAt } from './path.ts';
import { readBySchema } from './read-by-schema.ts';

/** A slice or its faults; `vnetAt` is the position of the subnet in the file, for `checkSubnets`. */
export type CheckedSlice = { slice: Slice; vnetAt: Position } | { faults: Fault[] };

/**
 * Reads a slice from `text`, or returns all its faults sorted by position. Names of configuration files in it are
 * relative to `file`, which otherwise only appears in the faults; `readConfig` reads one of them, `readImage` an image.
 */
export function checkSlice(
  text: string,
  file: string,
  readConfig: (name: string) => string = (name) => readConfigFile(file, name),
  readImage: (name: string) => ImageFile = (name) => readImageFile(file, name),
): CheckedSlice {
  const { faults, read } = readBySchema(text, file, sliceFileSchema);
  if (read === undefined) return { faults: sortFaults(faults) };

  const { value, data, problems: shape, located } = read;
  const draft = readDraft(value, shape);
  const configs = readConfigs(draft, readConfig);
  const images = readImages(draft, readImage);
  const problems = [...shape, ...checkMeaning(value, draft), ...configs.problems, ...images.problems];
  const all = [...faults, ...problems.map(located)];
  if (data === undefined || all.length > 0) return { faults: sortFaults(all) };
  const slice = buildSlice(data, { texts: configs.texts, images: images.files });
  const vnPath = (index: number) => (data.vns === undefined ? [] : ['vns', index]);
  const ownPath = (index: number) => (data.vns === undefined ? ['vn'] : ['vns', index]);
  // Checked only if the whole slice is readable.
  const tooMuch = [...checkCapacity(slice, vnPath), ...checkBgpAddresses(slice, ownPath)].map(located);
  if (tooMuch.length > 0) return { faults: sortFaults(tooMuch) };
  return { slice, vnetAt: read.positionOf(['vnet'], 'value') };
}

/** Reads a slice from `text`. Throws VnmError `invalid-input` whose message has a line per fault. */
export function parseSlice(text: string, file: string, readConfig?: (name: string) => string): Slice {
  const checked = checkSlice(text, file, readConfig);
  if ('slice' in checked) return checked.slice;
  throw new VnmError('invalid-input', checked.faults.map(formatFault).join('\n'));
}

/** Reads a slice from a file. Throws VnmError `invalid-input` as `parseSlice` and `readSliceText`. */
export function readSlice(path: string): Slice {
  return parseSlice(readSliceText(path), path);
}

/** The name of the slice in `text`, even if `text` has faults; undefined if it has no name. */
export function sliceNameIn(text: string, file: string): string | undefined {
  const value = readYaml(text, file, sliceFileSchema.noun).document?.value;
  const name = isMap(value) ? valueAt(value, ['slice']) : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Reads a slice file (UTF-8), or a pipe. Throws VnmError `invalid-input` if it cannot be read. */
export function readSliceText(path: string): string {
  return readText(path, 'slice file');
}
