import { existsSync } from 'node:fs';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import { parseSlice, readSliceText, sliceNameIn } from '../../slicefile/index.ts';
import type { Store } from '../../store/store.ts';

/**
 * Returns the slice that the argument SLICE names: a slice file, or the name of a slice in the database. `save` writes
 * the slice of a file to the database; without it the database's version wins, since that is what is installed. The
 * file then only names the slice, and it may break rules that are newer than the installation, unless `check` is set.
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
      hint:
        names.length === 0 ? 'name a slice file, or another database with --db' : `the slices are ${names.join(', ')}`,
    });
  }
  const text = readSliceText(argument);
  const known = save ? undefined : store.slices.find(sliceNameIn(text, argument) ?? '');
  if (known !== undefined && !check) return known;
  const slice = parseSlice(text, argument);
  if (!save) return known ?? slice;
  store.slices.save(slice);
  // The database also knows the data plane of the local testbed.
  return store.slices.find(slice.name)!;
}

export function looksLikeFile(argument: string): boolean {
  return /\.ya?ml$/.test(argument) || argument.includes('/') || existsSync(argument);
}
