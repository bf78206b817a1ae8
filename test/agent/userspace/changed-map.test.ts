import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ChangedMap, changeable } from '../../../src/agent/dataplane/planner/changed-map.ts';

const key = fc.nat(30);
const change = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
  fc.record({ do: fc.constant('delete' as const), key }),
  fc.constant({ do: 'copy' as const }),
);

const sorted = (map: ReadonlyMap<number, number>) => [...map].toSorted(([a], [b]) => a - b);

it('a changed map has what a copy would have, and leaves its base as it is', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key), fc.array(change), (keys, changes) => {
      const base = new Map(keys.map((each) => [each, each + 100]));
      const copies: { map: ChangedMap<number, number>; model: Map<number, number> }[] = [];
      let map = new ChangedMap<number, number>(base);
      let model = new Map(base);
      for (const step of changes) {
        if (step.do === 'copy') {
          copies.push({ map, model });
          map = new ChangedMap(map);
          model = new Map(model);
        } else if (step.do === 'set') {
          map.set(step.key, step.value);
          model.set(step.key, step.value);
        } else {
          expect(map.delete(step.key)).toBe(model.delete(step.key));
        }
      }
      for (const each of [...copies, { map, model }]) {
        expect(sorted(each.map)).toEqual(sorted(each.model));
        expect(each.map.size).toBe(each.model.size);
        for (let index = 0; index <= 30; index += 1) {
          expect([each.map.has(index), each.map.get(index)]).toEqual([each.model.has(index), each.model.get(index)]);
        }
      }
      expect([...base.keys()]).toEqual(keys);
    }),
  );
});

it('an entry that is replaced keeps its place, and what is deleted meanwhile is not visited', () => {
  const map = new ChangedMap(new Map([1, 2, 3].map((each) => [each, 'old'])));
  map.set(2, 'new');
  map.set(4, 'new');
  map.set(5, 'new');
  expect([...map.keys()]).toEqual([1, 2, 3, 4, 5]);
  expect([...map.values()]).toEqual(['old', 'new', 'old', 'new', 'new']);
  const visited: number[] = [];
  for (const each of map.keys()) {
    visited.push(each);
    map.delete(each + 1);
  }
  expect(visited).toEqual([1, 3, 5]);
  const seen: string[] = [];
  map.forEach((value, each) => void seen.push(`${each} ${value}`));
  expect(seen).toEqual(['1 old', '3 old', '5 new']);
});

it('a small map is copied', () => {
  const map = new Map([[1, 2]]);
  expect(changeable(map)).toEqual(map);
  expect(changeable(map)).not.toBe(map);
  const large = new Map(Array.from({ length: 1000 }, (_, index) => [index, index]));
  expect(changeable(large)).toBeInstanceOf(ChangedMap);
});
