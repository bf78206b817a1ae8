import { afterEach, describe, expect, it } from 'vitest';
import {
  changeSwitches,
  createSwitches,
  type Switches,
  type SwitchKey,
} from '../../../src/agent/dataplane/userspace/switches.ts';

let switches: Switches;
afterEach(() => switches.end());

const none = new Map<SwitchKey, number>();
const valuesOf = (...entries: [SwitchKey, number][]) => new Map(entries);
const current = (key: SwitchKey) => switches.values[switches.slotOf(key)!];

describe('switches', () => {
  it('have the values that they are given', () => {
    switches = createSwitches();
    switches.put(valuesOf(['group 1', 7], ['gate g', 1]), none);
    expect([current('group 1'), current('gate g')]).toEqual([7, 1]);
    expect(switches.slotOf('group 2')).toBeUndefined();
  });

  it('keep what another thread changed between planning and putting', () => {
    switches = createSwitches();
    const before = valuesOf(['group 1', 7], ['group 2', 7]);
    switches.put(before, none);
    changeSwitches(new Int32Array(switches.memory), [[switches.slotOf('group 1')!, 8]]);
    switches.put(valuesOf(['group 1', 7], ['group 2', 9]), before);
    expect([current('group 1'), current('group 2')]).toEqual([8, 9]);
  });

  it('keep their slots while they exist, and leave them to others then', () => {
    switches = createSwitches();
    const before = valuesOf(['group 1', 7], ['gate g', 1]);
    switches.put(before, none);
    const [first, second] = [switches.slotOf('group 1'), switches.slotOf('gate g')];
    switches.put(valuesOf(['gate g', 1], ['group 3', 5]), before);
    expect(switches.slotOf('group 1')).toBeUndefined();
    expect([switches.slotOf('gate g'), switches.slotOf('group 3')]).toEqual([second, first]);
    expect([current('gate g'), current('group 3')]).toEqual([1, 5]);
  });

  it('are reserved next to those in use, which go when others are put', () => {
    switches = createSwitches();
    const before = valuesOf(['group 1', 7], ['gate g', 1]);
    const next = valuesOf(['gate g', 0], ['group 3', 5]);
    switches.put(before, none);
    const first = switches.slotOf('group 1')!;
    switches.reserve(next);
    expect([current('group 1'), current('gate g'), current('group 3')]).toEqual([7, 1, 5]);
    expect(switches.slotOf('group 3')).not.toBe(first);
    switches.put(next, before);
    expect(switches.slotOf('group 1')).toBeUndefined();
    expect([current('gate g'), current('group 3')]).toEqual([0, 5]);
    switches.reserve(valuesOf(['group 4', 6]));
    switches.put(next, next);
    expect(switches.slotOf('group 4')).toBeUndefined();
  });

  it('never run out of slots by coming and going', () => {
    switches = createSwitches();
    let before = none;
    for (let round = 0; round < 70; round += 1) {
      const wanted = new Map(Array.from({ length: 1000 }, (_, index) => [`group ${round * 1000 + index}` as const, 1]));
      switches.put(wanted, before);
      before = wanted;
    }
    expect(switches.slotOf('group 69999')).toBeLessThan(2001);
  });

  it('stay as they are when there are too many', () => {
    switches = createSwitches();
    switches.put(valuesOf(['group 1', 7]), none);
    const many = new Map(Array.from({ length: 65_536 }, (_, index) => [`group ${index + 2}` as const, 1]));
    expect(() => switches.put(many, none)).toThrow('more than 65535 groups and gates');
    expect(() => switches.reserve(many)).toThrow('more than 65535 groups and gates');
    expect(current('group 1')).toBe(7);
    expect(switches.slotOf('group 2')).toBeUndefined();
  });

  it('tell a listener of a change by another thread, each time until the end', async () => {
    switches = createSwitches();
    switches.put(valuesOf(['group 1', 7]), none);
    const seen: (number | undefined)[] = [];
    switches.onChange(() => seen.push(current('group 1')));
    for (const value of [8, 9]) {
      changeSwitches(switches.values, [[switches.slotOf('group 1')!, value]]);
      await expect.poll(() => seen.at(-1)).toBe(value);
    }
    switches.end();
    changeSwitches(switches.values, [[switches.slotOf('group 1')!, 10]]);
    await new Promise(setImmediate);
    expect(seen).not.toContain(10);
  });
});
