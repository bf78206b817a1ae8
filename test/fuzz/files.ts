import fc from 'fast-check';
import { VnmError } from '../../src/model/errors.ts';
import { checkSlice, type Fault, parseSlice } from '../../src/slicefile/index.ts';
import { requireSuccess } from './outcome.ts';
import { sliceTexts } from './slice-texts.ts';

const maxWords = 1000;

export interface FileTally {
  files: number;
  /** Texts that were valid slices nevertheless. */
  slices: number;
  faults: number;
  /** The slowest file. */
  slowestMs: number;
}

/** Reads `files` texts. Throws with the smallest text found that is neither a slice nor has only proper faults. */
export function fuzzFiles(files: number, seed?: number): FileTally {
  const tally = { files: 0, slices: 0, faults: 0, slowestMs: 0 };
  const details = fc.check(
    fc.property(sliceTexts, (text) => {
      const startMs = performance.now();
      checkText(text, tally);
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startMs);
    }),
    { numRuns: files, ...(seed === undefined ? {} : { seed }) },
  );
  requireSuccess(details, (text) => JSON.stringify(text));
  return tally;
}

function checkText(text: string, tally: FileTally): void {
  const checked = checkSlice(text, 'any.yaml');
  tally.files += 1;
  if ('slice' in checked) {
    tally.slices += 1;
    return;
  }
  tally.faults += checked.faults.length;
  if (checked.faults.length === 0) throw new Error('neither a slice nor a fault');
  const lines = text.split('\n');
  for (const fault of checked.faults) checkFault(fault, lines);
  try {
    parseSlice(text, 'any.yaml');
  } catch (error) {
    if (error instanceof VnmError && error.code === 'invalid-input') return;
    throw error;
  }
  throw new Error('a slice in spite of faults');
}

function checkFault(fault: Fault, lines: readonly string[]): void {
  const { line, column, message, hint = '' } = fault;
  const length = lines[line - 1]?.length;
  const isInside = length !== undefined && Number.isInteger(column) && column >= 1 && column <= length + 1;
  if (!isInside) throw new Error(`outside the file: ${JSON.stringify(fault)}`);
  const words = message + hint;
  if (message === '' || words.length > maxWords || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(words)) {
    throw new Error(`no proper message: ${JSON.stringify(fault).slice(0, 3000)}`);
  }
}
