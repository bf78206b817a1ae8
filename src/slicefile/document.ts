import { parseDocument, type YAMLError } from 'yaml';
import { type Fault, type Position, withHint } from './fault.ts';
import type { Path } from './path.ts';
import { PlainReader } from './plain.ts';
import { excerpt } from './words.ts';

/** More than the largest file needs; a larger one would only keep the reader busy. */
export const maxLength = 4 * 1024 * 1024;
/** Each may become a value, or a fault: what begins, separates or ends values in YAML, wherever it stands. */
const separators = /[[{,\n]|[-?:] /g;
const maxSeparators = 500_000;

/** A file as YAML: plain values and their positions. */
export interface YamlDocument {
  /** Objects, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** The position of the value at `path` or of its key; if there is none, of the nearest enclosing value. */
  readonly positionOf: (path: Path, part: 'value' | 'key') => Position;
  /** The source text of the value at `path`; undefined unless it is a scalar without quotes. */
  readonly plainTextOf: (path: Path) => string | undefined;
}

/**
 * Reads YAML 1.2 (core schema). Returns no document for a file with syntax errors, because the rest would only produce
 * false faults. A file with duplicate keys, unknown tags or bad aliases is still readable. `noun`: what a file holds.
 */
export function readYaml(text: string, file: string, noun: string): { faults: Fault[]; document?: YamlDocument } {
  const tooLarge = tooLargeIn(text);
  if (tooLarge !== undefined) return { faults: [{ file, line: 1, column: 1, ...withHint(...tooLarge) }] };
  const positionAt = positionsIn(text);
  const parsed = parseDocument(text, {
    prettyErrors: false,
    schema: 'core',
    merge: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const faultAt = (offset: number, message: string, hint?: string): Fault => {
    return { file, ...positionAt(offset), ...withHint(message, hint) };
  };
  const syntax = syntaxErrors(parsed.errors).map((error) => faultAt(error.pos[0], ...wordsOf(error, noun)));
  if (syntax.length > 0) return { faults: syntax };

  const plain = new PlainReader(faultAt);
  const value = plain.read(parsed.contents, []);
  const faults = [
    ...parsed.warnings.map((warning) => faultAt(warning.pos[0], ...wordsOf(warning, noun))),
    ...plain.faults,
  ];
  const positionOf = (path: Path, part: 'value' | 'key'): Position => {
    return positionAt(plain.offsetOf(parsed.contents, path, part));
  };
  const plainTextOf = (path: Path) => plain.plainTextOf(parsed.contents, path);
  return { faults, document: { value, positionOf, plainTextOf } };
}

/** What is too much in the text of a file, and the limit; undefined if the file may be read. */
export function tooLargeIn(text: string): [message: string, hint: string] | undefined {
  if (text.length > maxLength) return [`the file has ${text.length} characters`, `at most ${maxLength}`];
  const count = text.match(separators)?.length ?? 0;
  if (count > maxSeparators)
    return [`the file has ${count} brackets, separators and lines`, `at most ${maxSeparators}`];
  return undefined;
}

/**
 * Converts offsets to positions, at most the end of the text. The library's counter misses lines after syntax errors.
 */
function positionsIn(text: string): (offset: number) => Position {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    const inside = Math.min(offset, text.length);
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (starts[middle]! <= inside) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: inside - starts[low]! + 1 };
  };
}

/** The errors to report; a deeply nested file that exhausts the stack is one fault, not many. */
function syntaxErrors(errors: readonly YAMLError[]): readonly YAMLError[] {
  const exhausted = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  return exhausted === undefined ? errors : [exhausted];
}

function wordsOf(error: YAMLError, noun: string): [message: string, hint?: string] {
  switch (error.code) {
    case 'RESOURCE_EXHAUSTION':
      return ['the file is nested too deeply'];
    case 'MULTIPLE_DOCS':
      return ['a second YAML document begins here', `a file holds one ${noun}`];
    case 'NON_STRING_KEY':
      return ['a key must be plain text'];
    case 'TAG_RESOLVE_FAILED':
      return ['unknown YAML tag', 'write the value without the tag'];
    default:
      return [`invalid YAML: ${excerpt(error.message)}`];
  }
}
