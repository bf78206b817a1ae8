/** Pure: holds items, each until an instant of its own. */

interface Entry<Item> {
  readonly item: Item;
  readonly dueMs: number;
  readonly number: number;
}

/** A binary heap. Items that are due at the same instant leave in the order they came. */
export class DueQueue<Item> {
  readonly #heap: Entry<Item>[] = [];
  #added = 0;

  add(item: Item, dueMs: number): void {
    const entry = { item, dueMs, number: this.#added };
    this.#added += 1;
    let at = this.#heap.length;
    for (; at > 0; at = parentOf(at)) {
      const parent = this.#heap[parentOf(at)]!;
      if (!isBefore(entry, parent)) break;
      this.#heap[at] = parent;
    }
    this.#heap[at] = entry;
  }

  /** Returns when the next item is due; Infinity when there is none. */
  nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Removes the item that is due next. */
  take(): Item | undefined {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) this.#sink(last);
    return first.item;
  }

  /** Puts the entry into the place of the first one. */
  #sink(entry: Entry<Item>): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [this.#heap[left], this.#heap[left + 1]];
      if (one === undefined) break;
      const [child, next] = other !== undefined && isBefore(other, one) ? [other, left + 1] : [one, left];
      if (!isBefore(child, entry)) break;
      this.#heap[at] = child;
      at = next;
    }
    this.#heap[at] = entry;
  }
}

function parentOf(at: number): number {
  return (at - 1) >> 1;
}

function isBefore<Item>(one: Entry<Item>, other: Entry<Item>): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.number < other.number);
}
