/**
 * The nodes of an existing slice file, updated in its text: the YAML document says where the values are, and only
 * these places change, so comments, order and spelling of everything else stay.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isNode, isScalar, isSeq, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { VnmError } from '../model/errors.ts';
import type { Source } from './detect.ts';
import { loginKeys, wayKeys } from './login-keys.ts';
import type { FileNode } from './nodes.ts';

/** What an update did to a node. */
export interface Change {
  readonly node: string;
  readonly what: 'added' | 'changed' | 'kept';
  /** For people: `host 192.0.2.1 -> 192.0.2.9`. */
  readonly text: string;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** How far what is inserted is indented; of insertions at one place, those into inner maps come first. */
  readonly indent?: number;
}

type Values = Record<string, unknown>;

/**
 * Sets host, login and address of the nodes that the file has, and adds the others. A value that the imported nodes do
 * not have stays. Throws VnmError `invalid-input` if a part of the file that has to change is an alias.
 */
export function updateNodes(source: Source, imported: readonly FileNode[]): { text: string; changes: Change[] } {
  const document = read(source.text);
  const file = new NodesOfFile(source, document);
  const wanted = structuredClone(document.toJS() as { ssh?: Values; substrate: { nodes: Record<string, Values> } });
  const changes = imported.flatMap((node): Change[] => {
    const known = wanted.substrate.nodes[node.name];
    const values = missing(node, known, wanted.ssh ?? {});
    if (Object.keys(values).length === 0) return [];
    wanted.substrate.nodes[node.name] = merged(known ?? {}, values);
    if (known === undefined) {
      file.addNode(node.name, values);
      return [{ node: node.name, what: 'added', text: node.host }];
    }
    file.changeNode(node.name, values);
    return [{ node: node.name, what: 'changed', text: differences(known, values) }];
  });
  const text = file.edited();
  // The edits go by positions; this proves that they say what they should, and nothing else.
  if (!isDeepStrictEqual(read(text).toJS(), wanted)) {
    throw new VnmError('invalid-input', `${source.file}: this spelling of nodes cannot be updated`, {
      hint: 'write each node as a map of its own, like n1: { host: node1.example.org }',
    });
  }
  const names = new Set(imported.map(({ name }) => name));
  const kept = Object.keys(wanted.substrate.nodes).filter((name) => !names.has(name));
  return {
    text,
    changes: [...changes, ...kept.map((node): Change => ({ node, what: 'kept', text: 'not in the imported files' }))],
  };
}

function read(text: string): Document {
  return parseDocument(text, { merge: false, schema: 'core', stringKeys: true, uniqueKeys: false });
}

/** The values of an imported node that the file has to get; defaults of `ssh` count as values of the node. */
function missing(node: FileNode, known: Values | undefined, ssh: Values): Values {
  const way = (known?.ssh ?? {}) as Values;
  const differs = (key: keyof FileNode, now: unknown) => node[key] !== undefined && !isDeepStrictEqual(node[key], now);
  const login = loginKeys.filter((key) => differs(key, known?.[key] ?? ssh[key]));
  const own = (['host', 'address'] as const).filter((key) => differs(key, known?.[key]));
  const ways = wayKeys.filter((key) => differs(key, way[key] ?? ssh[key]));
  return {
    ...Object.fromEntries([...own.slice(0, 1), ...login, ...own.slice(1)].map((key) => [key, node[key]])),
    ...(ways.length === 0 ? {} : { ssh: Object.fromEntries(ways.map((key) => [key, node[key]])) }),
  };
}

function merged(known: Values, values: Values): Values {
  const { ssh, ...others } = values;
  return {
    ...known,
    ...others,
    ...(ssh === undefined ? {} : { ssh: { ...(known.ssh as Values), ...(ssh as Values) } }),
  };
}

function differences(known: Values, values: Values): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} ${known[key] === undefined ? '' : `${shown(known[key])} -> `}${shown(value)}`)
    .join(', ');
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Collects edits of the nodes in the text of a file. */
class NodesOfFile {
  readonly #source: Source;
  readonly #nodes: YAMLMap;
  readonly #edits: Edit[] = [];

  constructor(source: Source, document: Document) {
    this.#source = source;
    this.#nodes = this.#mapAt(document.getIn(['substrate', 'nodes'], true), 'substrate.nodes');
  }

  addNode(name: string, values: Values): void {
    this.#add(this.#nodes, name, values);
  }

  changeNode(name: string, values: Values): void {
    const map = this.#mapAt(this.#nodes.get(name, true), `substrate.nodes.${name}`);
    const { ssh, ...others } = values;
    this.#set(map, others);
    if (ssh === undefined) return;
    const way = map.get('ssh', true);
    if (way === undefined) this.#add(map, 'ssh', ssh);
    else this.#set(this.#mapAt(way, `substrate.nodes.${name}.ssh`), ssh as Values);
  }

  /** The text with all edits, made from its end to its beginning. */
  edited(): string {
    const ordered = this.#edits
      .map((edit, index) => ({ indent: 0, ...edit, index }))
      .toSorted((a, b) => b.start - a.start || a.indent - b.indent || b.index - a.index);
    return ordered.reduce(
      (text, { start, end, text: replacement }) => `${text.slice(0, start)}${replacement}${text.slice(end)}`,
      this.#source.text,
    );
  }

  #set(map: YAMLMap, values: Values): void {
    for (const [key, value] of Object.entries(values)) {
      const node = map.get(key, true);
      if (!isNode(node)) this.#add(map, key, value);
      else this.#edits.push({ start: node.range![0], end: node.range![1], text: inline(value) });
    }
  }

  /** Adds a key at the end of a map. */
  #add(map: YAMLMap, key: string, value: unknown): void {
    const entry = `${inline(key)}: ${inline(value)}`;
    const last = map.items.at(-1) as Pair | undefined;
    if (last === undefined) {
      // Only `{}` is an empty map. A second key would come to the same place.
      const [start, end] = map.range!;
      const earlier = this.#edits.find((edit) => edit.start === start);
      if (earlier === undefined) this.#edits.push({ start, end, text: `{ ${entry} }` });
      else this.#edits[this.#edits.indexOf(earlier)] = { ...earlier, text: `${earlier.text.slice(0, -2)}, ${entry} }` };
      return;
    }
    const at = endOf(last);
    if (map.flow === true) {
      this.#edits.push({ start: at, end: at, text: `, ${entry}` });
      return;
    }
    const { text } = this.#source;
    const [keyStart] = (map.items[0]!.key as { range: [number, number, number] }).range;
    const indent = keyStart - (text.lastIndexOf('\n', keyStart - 1) + 1);
    const lineEnd = text.indexOf('\n', at);
    const place = lineEnd < 0 ? text.length : lineEnd;
    this.#edits.push({ start: place, end: place, text: `\n${' '.repeat(indent)}${entry}`, indent });
  }

  #mapAt(node: unknown, path: string): YAMLMap {
    if (isMap(node) && node.range) return node;
    throw new VnmError('invalid-input', `${this.#source.file}: ${path} is an alias`, {
      hint: 'write it out before an update',
    });
  }
}

/** Where the last value in a pair ends. */
function endOf(pair: Pair): number {
  const { value, key } = pair;
  if ((isMap(value) || isSeq(value)) && value.flow !== true && value.items.length > 0) {
    const last = value.items.at(-1);
    return isMap(value) ? endOf(last as Pair) : endOf({ key: last, value: last } as Pair);
  }
  const node = isNode(value) && value.range ? value : key;
  return (node as { range: [number, number, number] }).range[1];
}

/** A value on one line, quoted where YAML would read something else. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${inline(key)}: ${inline(one)}`)
      .join(', ')} }`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  if (!/^[\w.~/@-]+$/.test(value) || value.startsWith('@') || value.startsWith('-')) return JSON.stringify(value);
  const { contents } = read(value);
  return isScalar(contents) && contents.value === value ? value : JSON.stringify(value);
}
