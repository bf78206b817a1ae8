import { readBounded } from '../model/bounded-file.ts';
import { VnmError } from '../model/errors.ts';
import { maxLength } from './document.ts';
import { readingFault } from './reading-fault.ts';

/**
 * Reads a file in YAML (UTF-8), or a pipe. Throws VnmError `invalid-input` if it cannot be read. `noun`: what it is.
 */
export function readText(path: string, noun: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readBounded(path, { maxBytes: maxLength, pipes: true }));
  } catch (error) {
    const article = /^[aeiou]/.test(noun) ? 'an' : 'a';
    throw new VnmError('invalid-input', `cannot read the ${noun} ${path}: ${readingFault(error)}`, {
      hint: `give ${article} ${noun} in YAML of at most 4 MiB`,
      cause: error,
    });
  }
}
