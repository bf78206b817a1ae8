import { parseDocument, type YAMLError } from 'yaml';
import { type Fault, type Position, withHint } from './fault.ts';
import type { Path } from './path.ts';
import { PlainReader } from './plain.ts';
import { said } from './words.ts';

/** Far more than a slice needs; what is larger would only keep the reader busy. */
const maxLength = 1024 * 1024;

/** A slice file as YAML: plain values that still know where they stand. */
export interface YamlDocument {
  /** Objects, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** Of the value at `path` or of its key; of the nearest thing around it when there is none. */
  readonly positionOf: (path: Path, part: 'value' | 'key') => Position;
  /** What stands in the file for the value at `path`; undefined unless it is a scalar without quotes. */
  readonly plainTextOf: (path: Path) => string | undefined;
}

/**
 * Reads YAML 1.2 (core schema). With syntax errors there is no document, because what is left of the file would only bring
 * faults that are none; duplicate keys, unknown tags and bad aliases leave the rest readable.
 */
export function readYaml(text: string, file: string): { faults: Fault[]; document?: YamlDocument } {
  if (text.length > maxLength) {
    const words = withHint(`the file has ${text.length} characters`, `at most ${maxLength}`);
    return { faults: [{ file, line: 1, column: 1, ...words }] };
  }
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
  const syntax = syntaxErrors(parsed.errors).map((error) => faultAt(error.pos[0], ...wordsOf(error)));
  if (syntax.length > 0) return { faults: syntax };

  const plain = new PlainReader(faultAt);
  const value = plain.read(parsed.contents, []);
  const faults = [...parsed.warnings.map((warning) => faultAt(warning.pos[0], ...wordsOf(warning))), ...plain.faults];
  const positionOf = (path: Path, part: 'value' | 'key'): Position => {
    return positionAt(plain.offsetOf(parsed.contents, path, part));
  };
  const plainTextOf = (path: Path) => plain.plainTextOf(parsed.contents, path);
  return { faults, document: { value, positionOf, plainTextOf } };
}

/** Where an offset is; beyond the end, the end. The library's own counter loses lines in files with syntax errors. */
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

/** Running out of stack on a deeply nested file is one fault, however many errors follow from it. */
function syntaxErrors(errors: readonly YAMLError[]): readonly YAMLError[] {
  const exhausted = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  return exhausted === undefined ? errors : [exhausted];
}

function wordsOf(error: YAMLError): [message: string, hint?: string] {
  switch (error.code) {
    case 'RESOURCE_EXHAUSTION':
      return ['the file is nested too deeply'];
    case 'MULTIPLE_DOCS':
      return ['a second YAML document begins here', 'a file holds one slice'];
    case 'NON_STRING_KEY':
      return ['a key must be plain text'];
    case 'TAG_RESOLVE_FAILED':
      return ['unknown YAML tag', 'write the value without the tag'];
    default:
      return [`not valid YAML: ${said(error.message)}`];
  }
}
