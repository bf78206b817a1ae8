/** YAML and JSON, which is read as YAML, as a tree. */
import { isNode, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import type { Position } from '../../slicefile/fault.ts';
import { beginning, faultAt } from '../fault.ts';
import type { Tree } from '../part.ts';
import { KeyIndex, repeatedKey } from './yaml-keys.ts';

/** As for slice files: a file with more would only try to exhaust memory. */
const maxAliases = 100;

/**
 * Reads one YAML document with anchors, aliases and merge keys; unknown tags (`!vault`) leave the text as it is. Throws
 * VnmError `invalid-input` for what is no YAML, has a key twice, or too many aliases.
 */
export function parseYaml(text: string, file: string): Tree {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { prettyErrors: false, merge: true, uniqueKeys: false, lineCounter: lines });
    const [error] = document.errors;
    if (error !== undefined) throw faultOf(error, file, lines);
    const { contents } = document;
    const repeated = isNode(contents) ? repeatedKey(contents) : undefined;
    if (repeated !== undefined) throw faultAt(file, placeOf(lines, repeated), 'Map keys must be unique');
    const root: unknown = document.toJS({ mapAsMap: true, maxAliasCount: maxAliases });
    const index = new KeyIndex();
    const positionOf: Tree['positionOf'] = (path) =>
      isNode(contents) ? placeOf(lines, index.nearest(contents, path)) : beginning;
    return { file, root, positionOf };
  } catch (error) {
    if (error instanceof RangeError) throw faultAt(file, beginning, 'the file is nested too deeply');
    if (error instanceof ReferenceError) throw faultAt(file, beginning, error.message, 'write the values out');
    throw error;
  }
}

function faultOf(error: YAMLError, file: string, lines: LineCounter) {
  if (error.code === 'RESOURCE_EXHAUSTION') return faultAt(file, beginning, 'the file is nested too deeply');
  const hint = error.code === 'MULTIPLE_DOCS' ? 'give a file with one document' : undefined;
  return faultAt(file, placeAt(lines, error.pos[0]), error.message, hint);
}

/** Values behind aliases and merge keys have the position of what contains the alias. */
function placeOf(lines: LineCounter, { range }: Node): Position {
  return range ? placeAt(lines, range[0]) : beginning;
}

function placeAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? beginning : { line, column: Math.max(1, col) };
}
