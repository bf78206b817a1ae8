import { messageOf } from '../model/errors.ts';

const reasons = new Map<unknown, string>([
  ['ENOENT', 'no such file'],
  ['EACCES', 'permission denied'],
  ['ERR_ENCODING_INVALID_ENCODED_DATA', 'it is not UTF-8 text'],
]);

/** Says why a file could not be read. */
export function readingFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return reasons.get(code) ?? messageOf(error);
}
