import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import type { Fault } from './fault.ts';
import type { Path } from './path.ts';
import { quote } from './words.ts';

/** A file with more would only try to exhaust memory. */
const maxAliases = 100;
const maxAliased = 10_000;
/** A slice is a few levels deep. */
const maxDepth = 100;

/** Converts YAML nodes to plain values, and finds nodes by path. Of several equal keys the first counts. */
export class PlainReader {
  readonly faults: Fault[] = [];
  readonly #faultAt: (offset: number, message: string, hint?: string) => Fault;
  readonly #anchors = new Map<string, { node: Node; value: unknown; size: number }>();
  readonly #targets = new Map<Alias, Node>();
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();
  /** The number of values read so far, and how many of them came from aliases. */
  #size = 0;
  #aliased = 0;
  #isFull = false;

  constructor(faultAt: (offset: number, message: string, hint?: string) => Fault) {
    this.#faultAt = faultAt;
  }

  read(node: Node | null, path: Path): unknown {
    const before = this.#size;
    this.#size += 1;
    if (node === null) return null;
    if (isAlias(node)) return this.#readAlias(node);
    if (path.length > maxDepth) return this.#tooDeep(node);
    const value = this.#readContent(node, path);
    // Registered only now, because an alias inside its own anchor would make an endless value.
    if ('anchor' in node && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, { node, value, size: this.#size - before });
    }
    return value;
  }

  offsetOf(root: Node | null, path: Path, part: 'value' | 'key'): number {
    let node = root;
    let offset = startOf(root) ?? 0;
    for (const [depth, step] of path.entries()) {
      const here = node !== null && isAlias(node) ? (this.#targets.get(node) ?? null) : node;
      const [key, value] = this.#childOf(here, step);
      const wanted = part === 'key' && depth === path.length - 1 ? key : value;
      const found = startOf(wanted) ?? startOf(key) ?? startOf(value);
      if (found === undefined) break;
      node = value;
      offset = found;
    }
    return offset;
  }

  plainTextOf(root: Node | null, path: Path): string | undefined {
    const resolve = (node: Node | null) => (node !== null && isAlias(node) ? (this.#targets.get(node) ?? null) : node);
    const node = path.reduce<Node | null>((here, step) => resolve(this.#childOf(here, step)[1]), resolve(root));
    return isScalar(node) && node.type === 'PLAIN' && node.source !== '' ? node.source : undefined;
  }

  #childOf(node: Node | null, step: string | number): [key: Node | null, value: Node | null] {
    if (isSeq(node)) return [null, (node.items[Number(step)] ?? null) as Node | null];
    if (!isMap(node)) return [null, null];
    const pair = this.#pairsOf(node).get(String(step));
    return [(pair?.key ?? null) as Node | null, (pair?.value ?? null) as Node | null];
  }

  /** The pairs of a map by key; cached, because every fault needs a lookup. */
  #pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    // Reversed, so that the first of several equal keys stays.
    const pairs = new Map(map.items.toReversed().map((pair) => [keyText(pair.key), pair]));
    this.#pairs.set(map, pairs);
    return pairs;
  }

  #tooDeep(node: Node): null {
    this.faults.push(this.#faultAt(startOf(node) ?? 0, 'the file is nested too deeply'));
    return null;
  }

  #readContent(node: Node, path: Path): unknown {
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item as Node | null, [...path, index]));
    return isScalar(node) ? node.value : null;
  }

  #readMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const firstOffsets = new Map<string, number>();
    for (const pair of map.items) {
      const key = keyText(pair.key);
      const offset = startOf(pair.key as Node | null) ?? startOf(map) ?? 0;
      const value = this.read(pair.value as Node | null, [...path, key]);
      const firstOffset = firstOffsets.get(key);
      if (key === '__proto__') this.faults.push(this.#faultAt(offset, `unknown key ${quote(key)}`));
      else if (firstOffset !== undefined) this.faults.push(this.#duplicate(path, key, offset, firstOffset));
      else result[key] = value;
      if (firstOffset === undefined) firstOffsets.set(key, offset);
    }
    return result;
  }

  #duplicate(path: Path, key: string, offset: number, firstOffset: number): Fault {
    const first = this.#faultAt(firstOffset, '');
    const noun = duplicateNouns.get(path.at(-1) ?? '') ?? 'key';
    const rule = noun === 'end host' ? '; an end host has exactly one gateway' : '';
    return this.#faultAt(
      offset,
      `duplicate ${noun} ${quote(key)}`,
      `first defined at ${first.line}:${first.column}${rule}`,
    );
  }

  #readAlias(alias: Alias): unknown {
    const offset = startOf(alias) ?? 0;
    const anchor = this.#anchors.get(alias.source);
    if (anchor === undefined) {
      this.faults.push(
        this.#faultAt(offset, `unknown anchor ${quote(alias.source)}`, 'define an anchor before its aliases'),
      );
      return null;
    }
    this.#targets.set(alias, anchor.node);
    this.#size += anchor.size;
    this.#aliased += anchor.size;
    const tooMuch =
      (this.#targets.size > maxAliases && `more than ${maxAliases} aliases`) ||
      (this.#aliased > maxAliased && `aliases for more than ${maxAliased} values`);
    if (tooMuch === false) return anchor.value;
    if (!this.#isFull) this.faults.push(this.#faultAt(offset, tooMuch, 'write the values out'));
    this.#isFull = true;
    return null;
  }
}

const duplicateNouns = new Map<string | number, string>([
  ['nodes', 'node'],
  ['gateways', 'gateway'],
  ['endHosts', 'end host'],
  ['placements', 'placement'],
]);

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value ?? '') : '';
}

function startOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}
