/** XML as a tree: an element is a map of its attributes (`@name`), its child elements by name, and its `#text`. */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import type { Position } from '../../slicefile/fault.ts';
import { beginning, faultAt } from '../fault.ts';
import type { Tree } from '../part.ts';

/** Far deeper than any manifest or graph. */
const maxDepth = 100;

/** Prefixes of attributes that say which namespaces and schemas a file uses. */
const notContent = new Set(['xmlns', 'xsi']);

type Element = Map<string, unknown>;

/** XML with the local name and the namespace of its root element. */
export interface XmlTree extends Tree {
  readonly rootName: string;
}

/**
 * Reads well-formed XML. Entities other than the five of XML are errors, and nothing outside the file is read, so a
 * file cannot grow while it is read. Throws VnmError `invalid-input`.
 */
export function parseXml(text: string, file: string): XmlTree {
  const parser = new SaxesParser({ xmlns: true });
  const positions = new Map<object, Position>();
  const open: { element: Element; text: string[] }[] = [];
  const root: Element = new Map();
  let rootTag: SaxesTagNS | undefined;
  let started = beginning;
  parser.on('error', ({ message }) => {
    const [, line, column, reason] = /^(\d+):(\d+): (.*)$/s.exec(message) ?? [];
    const place = line === undefined ? beginning : { line: Number(line), column: Math.max(1, Number(column)) };
    throw faultAt(file, place, `invalid XML: ${reason ?? message}`);
  });
  parser.on('opentagstart', ({ name }) => {
    const column = parser.columnIndex - name.length - 1;
    // The end of a line may have ended the name.
    started = column > 0 ? { line: parser.line, column } : { line: Math.max(1, parser.line - 1), column: 1 };
  });
  parser.on('opentag', (tag) => {
    rootTag ??= tag;
    if (open.length >= maxDepth) throw faultAt(file, started, 'the file is nested too deeply');
    const element = open.length === 0 ? root : new Map<string, unknown>();
    positions.set(element, started);
    for (const { prefix, local, value } of Object.values(tag.attributes)) {
      if (!notContent.has(prefix) && local !== 'xmlns')
        element.set(`@${prefix === '' ? '' : `${prefix}:`}${local}`, value);
    }
    if (open.length > 0) append(open.at(-1)!.element, nameOf(tag, rootTag), element);
    open.push({ element, text: [] });
  });
  parser.on('text', (part) => open.at(-1)?.text.push(part));
  parser.on('cdata', (part) => open.at(-1)?.text.push(part));
  parser.on('closetag', () => {
    const { element, text: parts } = open.pop()!;
    const content = parts.join('').trim();
    if (content !== '') element.set('#text', content);
  });
  parser.write(text).close();
  if (rootTag === undefined) throw faultAt(file, beginning, 'invalid XML: there is no element');
  return { file, root, rootName: rootTag.local, positionOf: (path) => positionIn(root, positions, path) };
}

/** The local name of an element in the namespace of the root, else with its prefix, or a word from its namespace. */
function nameOf({ local, prefix, uri }: SaxesTagNS, root: SaxesTagNS): string {
  if (uri === root.uri) return local;
  const word = uri.split('/').findLast((part) => /[a-z]/i.test(part));
  return `${prefix === '' ? (word ?? 'other') : prefix}:${local}`;
}

function append(parent: Element, name: string, element: Element): void {
  const siblings = parent.get(name);
  if (Array.isArray(siblings)) siblings.push(element);
  else parent.set(name, [element]);
}

function positionIn(root: Element, positions: Map<object, Position>, path: readonly (string | number)[]): Position {
  let here: unknown = root;
  let found = positions.get(root) ?? beginning;
  for (const step of path) {
    here = here instanceof Map ? here.get(step) : Array.isArray(here) ? here[Number(step)] : undefined;
    const element: unknown = Array.isArray(here) ? here[0] : here;
    if (element instanceof Map) found = positions.get(element) ?? found;
  }
  return found;
}
