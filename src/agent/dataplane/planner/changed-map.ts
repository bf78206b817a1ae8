/**
 * A copy of a map that stores only what differs from it, so that a change of one entry among many takes no time. The
 * map that it is made from must not change any more.
 */
export class ChangedMap<Key, Value> implements ReadonlyMap<Key, Value> {
  readonly #base: ReadonlyMap<Key, Value>;
  /** Entries that the base has otherwise or not at all. */
  readonly #changed: Map<Key, Value>;
  /** Keys of the base that are removed or changed. */
  readonly #hidden: Set<Key>;

  constructor(from: ReadonlyMap<Key, Value>) {
    if (from instanceof ChangedMap && from.#hasFewChanges()) {
      this.#base = from.#base;
      this.#changed = new Map(from.#changed);
      this.#hidden = new Set(from.#hidden);
    } else {
      this.#base = from instanceof ChangedMap ? new Map(from) : from;
      this.#changed = new Map();
      this.#hidden = new Set();
    }
  }

  /** A copy also copies the changes. */
  #hasFewChanges(): boolean {
    return (this.#changed.size + this.#hidden.size) * 8 < this.#base.size;
  }

  get size(): number {
    return this.#base.size - this.#hidden.size + this.#changed.size;
  }

  has(key: Key): boolean {
    return this.#changed.has(key) || (this.#base.has(key) && !this.#hidden.has(key));
  }

  get(key: Key): Value | undefined {
    return this.#changed.get(key) ?? (this.#hidden.has(key) ? undefined : this.#base.get(key));
  }

  set(key: Key, value: Value): void {
    if (this.#base.has(key)) this.#hidden.add(key);
    this.#changed.set(key, value);
  }

  delete(key: Key): boolean {
    const isThere = this.has(key);
    this.#changed.delete(key);
    if (this.#base.has(key)) this.#hidden.add(key);
    return isThere;
  }

  /** An entry of the base has the place that it has there. */
  *entries(): MapIterator<[Key, Value]> {
    if (this.size === 0) return;
    for (const entry of this.#base) {
      const [key] = entry;
      if (!this.#hidden.has(key)) yield entry;
      else if (this.#changed.has(key)) yield [key, this.#changed.get(key)!];
    }
    for (const entry of this.#changed) if (!this.#base.has(entry[0])) yield entry;
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  forEach(callback: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}

/** Fewer are copied as fast. */
const many = 1000;

/** Returns a copy that may be changed, while the map itself may not any more. */
export function changeable<Key, Value>(map: ReadonlyMap<Key, Value>): Map<Key, Value> | ChangedMap<Key, Value> {
  return map.size < many ? new Map(map) : new ChangedMap(map);
}
