import { VnmError } from '../model/errors.ts';
import type { Position } from '../slicefile/fault.ts';
import { excerpt } from '../slicefile/words.ts';

/** An error about a place in a file to import. */
export function faultAt(file: string, { line, column }: Position, message: string, hint?: string): VnmError {
  return new VnmError('invalid-input', `${file}:${line}:${column}: ${excerpt(message)}`, { hint });
}

/** The first place of a file, for errors about all of it. */
export const beginning: Position = { line: 1, column: 1 };
