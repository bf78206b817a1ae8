/** The keys of YAML maps, each map read once: the library compares every key of a map with all others. */
import { isMap, isNode, isScalar, isSeq, type Node, type Pair, visit, type YAMLMap } from 'yaml';

/** Returns the first key in the file that its map already has. */
export function repeatedKey(root: Node): Node | undefined {
  let first: Node | undefined;
  visit(root, {
    Map: (_, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value) && startOf(key) < (first === undefined ? Number.POSITIVE_INFINITY : startOf(first)))
          first = key;
        seen.add(key.value);
      }
    },
  });
  return first;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Finds nodes by path; keys that are no text count by their text. */
export class KeyIndex {
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

  /** Returns the node at a path, or the nearest one around it: aliases and merge keys are not followed. */
  nearest(root: Node, path: readonly (string | number)[]): Node {
    let here: Node = root;
    for (const step of path) {
      const next = this.#childOf(here, step);
      if (!isNode(next)) return here;
      here = next;
    }
    return here;
  }

  #childOf(node: Node, step: string | number): unknown {
    if (isSeq(node)) return node.items[Number(step)];
    return isMap(node) ? this.#pairsOf(node).get(String(step))?.value : undefined;
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    const pairs = new Map(map.items.map((pair) => [textOf(pair.key), pair]));
    this.#pairs.set(map, pairs);
    return pairs;
  }
}

function textOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}
