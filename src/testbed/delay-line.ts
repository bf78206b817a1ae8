/** Pure: holds items for a constant time. */

/**
 * Holds each item for its delay. Items with the same delay leave in the order of their arrival, so nothing on one path
 * is ever reordered. Instants are monotonic ms.
 */
export class DelayLine<Item> {
  /** One lane per delay; a testbed has few different delays. */
  readonly #lanes = new Map<number, Lane<Item>>();

  /**
   * `key`: of the items that leave in the order they come, by default those with the same delay. Of these `nowMs` must
   * not go back from one call to the next.
   */
  add(item: Item, delayMs: number, nowMs: number, key = delayMs): void {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { items: [], dueMs: [], head: 0 };
      this.#lanes.set(key, lane);
    }
    lane.items.push(item);
    lane.dueMs.push(nowMs + delayMs);
  }

  /** Delivers the items that are due at `untilMs`. */
  release(untilMs: number, deliver: (item: Item) => void): void {
    for (const lane of this.#lanes.values()) {
      let { head } = lane;
      while ((lane.dueMs[head] ?? Number.POSITIVE_INFINITY) <= untilMs) {
        deliver(lane.items[head] as Item);
        head += 1;
      }
      lane.head = head;
      dropDelivered(lane);
    }
  }

  /** Returns when the next item is due; Infinity when there is none. */
  nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) next = Math.min(next, lane.dueMs[lane.head] ?? next);
    return next;
  }
}

/** First in, first out: the items from `head` on are waiting. */
interface Lane<Item> {
  items: Item[];
  dueMs: number[];
  head: number;
}

/** Moves the waiting items to the front once most have left, so that each item is moved about once. */
function dropDelivered<Item>(lane: Lane<Item>): void {
  if (lane.head === 0 || lane.head * 2 < lane.items.length) return;
  lane.items = lane.items.slice(lane.head);
  lane.dueMs = lane.dueMs.slice(lane.head);
  lane.head = 0;
}
