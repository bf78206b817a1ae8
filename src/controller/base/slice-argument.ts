import { existsSync } from 'node:fs';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import { parseSlice, readSliceText, sliceNameIn } from '../../slicefile/index.ts';
import type { Store } from '../../store/store.ts';

/**
 * The slice that SLICE on the command line means: a slice file, or the name of a slice in the database. `save` writes a file's
 * slice to the database; without it the database's own version is preferred, since that is what is installed. The file then only says
 * which slice is meant, and it may break rules that are newer than what is installed, unless it is to be checked (`check`).
 */
export function sliceFromArgument(
  store: Store,
  argument: string,
  { save = false, check = save }: { save?: boolean; check?: boolean } = {},
): Slice {
  if (!looksLikeFile(argument)) {
    const slice = store.slices.find(argument);
    if (slice !== undefined) return slice;
    const names = store.slices.names();
    throw new VnmError('not-found', `there is no slice '${argument}' in ${store.path}`, {
      hint: names.length === 0 ? 'name a slice file, or another database with --db' : `it has ${names.join(', ')}`,
    });
  }
  const text = readSliceText(argument);
  const known = save ? undefined : store.slices.find(sliceNameIn(text, argument) ?? '');
  if (known !== undefined && !check) return known;
  const slice = parseSlice(text, argument);
  if (save) store.slices.save(slice);
  return known ?? slice;
}

export function looksLikeFile(argument: string): boolean {
  return /\.ya?ml$/.test(argument) || argument.includes('/') || existsSync(argument);
}
