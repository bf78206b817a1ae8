/**
 * What a redirection changes, in memory that the forwarding thread and the timing thread share: the active nexthop of
 * each group, and whether each gate is closed. The forwarding looks it up for every packet, so a change takes effect
 * with the next one, at once for all prefixes of a group.
 */

const slotCount = 65_536;
/** Counts the changes, so that a thread can wait for one. */
const changesSlot = 0;

export type SwitchKey = `group ${number}` | `gate ${string}`;

/** New values, by slot. */
export type SwitchStep = readonly (readonly [slot: number, value: number])[];

export interface Switches {
  readonly memory: SharedArrayBuffer;
  readonly values: Int32Array;
  /** Undefined for what has none. */
  slotOf(key: SwitchKey): number | undefined;
  /**
   * Gives slots, and their values, to those of these that have none, for tables that are not in use yet: `put` then
   * removes what the tables before them needed. Throws RangeError for more than there is room for, and changes nothing
   * then.
   */
  reserve(values: ReadonlyMap<SwitchKey, number>): void;
  /**
   * Has exactly these from now on. Those that stay keep their slots, and their values too unless these differ from
   * those `before`: an armed step may just have changed them. Throws RangeError for more than there is room for, and
   * changes nothing then.
   */
  put(values: ReadonlyMap<SwitchKey, number>, before: ReadonlyMap<SwitchKey, number>): void;
  change(step: SwitchStep): void;
  /** Calls back after changes that the other thread made, until `end`. */
  onChange(listener: () => void): void;
  end(): void;
}

export function createSwitches(): Switches {
  const memory = new SharedArrayBuffer(slotCount * Int32Array.BYTES_PER_ELEMENT);
  const values = new Int32Array(memory);
  const slots = new Map<SwitchKey, number>();
  const free: number[] = [];
  let used = changesSlot + 1;
  let isEnded = false;

  function newSlot(): number {
    const slot = free.pop();
    if (slot !== undefined) return slot;
    used += 1;
    return used - 1;
  }

  return {
    memory,
    values,
    slotOf: (key) => slots.get(key),
    reserve(wanted) {
      const added = [...wanted].filter(([key]) => !slots.has(key));
      checkRoom(slots.size + added.length);
      for (const [key, value] of added) {
        const slot = newSlot();
        slots.set(key, slot);
        Atomics.store(values, slot, value);
      }
    },
    put(wanted, before) {
      checkRoom(wanted.size);
      for (const [key, slot] of [...slots]) {
        if (wanted.has(key)) continue;
        slots.delete(key);
        free.push(slot);
      }
      for (const [key, value] of wanted) {
        const known = slots.get(key);
        const slot = known ?? newSlot();
        slots.set(key, slot);
        if (known === undefined || before.get(key) !== value) Atomics.store(values, slot, value);
      }
    },
    change: (step) => changeSwitches(values, step),
    onChange(listener) {
      const wait = (seen: number): void => {
        const { async, value } = Atomics.waitAsync(values, changesSlot, seen);
        const hear = () => {
          if (isEnded) return;
          // Before the listener looks, so that a change meanwhile is heard.
          const now = Atomics.load(values, changesSlot);
          listener();
          wait(now);
        };
        if (async) void value.then(hear);
        else setImmediate(hear);
      };
      wait(Atomics.load(values, changesSlot));
    },
    end() {
      isEnded = true;
      Atomics.notify(values, changesSlot);
    },
  };
}

function checkRoom(count: number): void {
  if (count >= slotCount) throw new RangeError(`more than ${slotCount - 1} groups and gates`);
}

export function changeSwitches(values: Int32Array, step: SwitchStep): void {
  for (const [slot, value] of step) Atomics.store(values, slot, value);
  Atomics.add(values, changesSlot, 1);
  Atomics.notify(values, changesSlot);
}
