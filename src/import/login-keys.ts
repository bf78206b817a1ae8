/** The keys of a login and of the way to a node that an import fills in. */
import { sliceFileSchema } from '../slicefile/json-schema.ts';

/** Keys of `ssh` and of a node alike. */
export const loginKeys = ['user', 'port', 'key'] as const;

/** Keys of `ssh`, and of `ssh` of a node, as far as slice files have them. */
export function wayKeys(): ('config' | 'jump')[] {
  const known = sliceFileSchema.keysAt(['ssh']);
  return (['config', 'jump'] as const).filter((key) => known.includes(key));
}
