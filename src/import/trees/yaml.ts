/** YAML and JSON, which is read as YAML, as a tree. */
import { type Document, isNode, LineCounter, parseDocument, type YAMLError } from 'yaml';
import type { Position } from '../../slicefile/fault.ts';
import { beginning, faultAt } from '../fault.ts';
import type { Tree } from '../part.ts';

/** As for slice files: a file with more would only try to exhaust memory. */
const maxAliases = 100;

/**
 * Reads one YAML document with anchors, aliases and merge keys; unknown tags (`!vault`) leave the text as it is. Throws
 * VnmError `invalid-input` for what is no YAML, has a key twice, or too many aliases.
 */
export function parseYaml(text: string, file: string): Tree {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { prettyErrors: false, merge: true, lineCounter: lines });
    const [error] = document.errors;
    if (error !== undefined) throw faultOf(error, file, text, lines);
    const root: unknown = document.toJS({ mapAsMap: true, maxAliasCount: maxAliases });
    return { file, root, positionOf: (path) => positionOf(document, lines, path) };
  } catch (error) {
    if (error instanceof RangeError) throw faultAt(file, beginning, 'the file is nested too deeply');
    if (error instanceof ReferenceError) throw faultAt(file, beginning, error.message, 'write the values out');
    throw error;
  }
}

function faultOf(error: YAMLError, file: string, text: string, lines: LineCounter) {
  if (error.code === 'RESOURCE_EXHAUSTION') return faultAt(file, beginning, 'the file is nested too deeply');
  const hint = error.code === 'MULTIPLE_DOCS' ? 'give a file with one document' : undefined;
  // A key that is there twice may be reported at the end of the line before it.
  const skipped = error.code === 'DUPLICATE_KEY' ? /^\s*/.exec(text.slice(error.pos[0]))![0].length : 0;
  return faultAt(file, placeOf(lines, error.pos[0] + skipped), error.message, hint);
}

/** The position of the value at a path; values behind aliases and merge keys have that of what contains the alias. */
function positionOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): Position {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return placeOf(lines, node.range[0]);
  }
  return beginning;
}

function placeOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? beginning : { line, column: Math.max(1, col) };
}
