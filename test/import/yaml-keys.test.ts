/** Large inventories are read in linear time: counted by what is read of the pairs of maps, not by the clock. */

import { expect, it } from 'vitest';
import { type Node, parseDocument, type YAMLMap } from 'yaml';
import { parseYaml } from '../../src/import/trees/yaml.ts';
import { KeyIndex, repeatedKey } from '../../src/import/trees/yaml-keys.ts';

const count = 500;
const text = `hosts:\n${Array.from({ length: count }, (_, i) => `  h${i}:\n    port: ${i}\n`).join('')}`;

/** A document whose map of hosts counts how often one of its pairs is read. */
function counted(): { root: Node; reads: () => number } {
  let reads = 0;
  const document = parseDocument(text, { uniqueKeys: false });
  const hosts = (document.contents as unknown as YAMLMap<unknown, YAMLMap>).items[0]!.value!;
  hosts.items = new Proxy(hosts.items, {
    get: (items, key, receiver) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
      return Reflect.get(items, key, receiver);
    },
  });
  return { root: document.contents as unknown as Node, reads: () => reads };
}

it('finding every value of a map reads each of its pairs a few times, however many there are', () => {
  const { root, reads } = counted();
  const index = new KeyIndex();
  for (let i = 0; i < count; i += 1) {
    const found = index.nearest(root, ['hosts', `h${i}`, 'port']);
    expect(text.slice(found.range![0], found.range![1])).toBe(String(i));
  }
  expect(reads()).toBeGreaterThanOrEqual(count);
  expect(reads()).toBeLessThanOrEqual(3 * count);
});

it('looking for a repeated key reads each pair a few times', () => {
  const { root, reads } = counted();
  expect(repeatedKey(root)).toBeUndefined();
  expect(reads()).toBeGreaterThanOrEqual(count);
  expect(reads()).toBeLessThanOrEqual(5 * count);
});

it('positions are those of the nearest value: not behind aliases and merge keys', () => {
  const file = 'base: &b\n  port: 22\n  list: [1, two]\nnode:\n  <<: *b\n  user: me\nsame: *b\n1: one\n';
  const { positionOf, root } = parseYaml(file, 'x.yaml');
  expect(root).toEqual(
    new Map<unknown, unknown>([
      [
        'base',
        new Map<string, unknown>([
          ['port', 22],
          ['list', [1, 'two']],
        ]),
      ],
      [
        'node',
        new Map<string, unknown>([
          ['port', 22],
          ['list', [1, 'two']],
          ['user', 'me'],
        ]),
      ],
      [
        'same',
        new Map<string, unknown>([
          ['port', 22],
          ['list', [1, 'two']],
        ]),
      ],
      [1, 'one'],
    ]),
  );
  expect(positionOf(['base', 'list', 1])).toEqual({ line: 3, column: 13 });
  expect(positionOf(['node', 'user'])).toEqual({ line: 6, column: 9 });
  expect(positionOf(['node', 'port'])).toEqual({ line: 5, column: 3 });
  expect(positionOf(['same', 'port'])).toEqual({ line: 7, column: 7 });
  expect(positionOf(['1'])).toEqual({ line: 8, column: 4 });
  expect(positionOf(['nowhere'])).toEqual({ line: 1, column: 1 });
});

it('the first repeated key of the file is the fault, and a merge key may be there twice', () => {
  const faultOf = (yaml: string) => {
    try {
      parseYaml(yaml, 'x.yaml');
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  expect(faultOf('a: { x: 1, x: 2 }\na: 3\n')).toBe('x.yaml:1:12: Map keys must be unique');
  expect(faultOf('a: 1\nb: { x: 1, x: 2 }\na: 3\n')).toBe('x.yaml:2:12: Map keys must be unique');
  expect(faultOf('a: &a { x: 1 }\nb: &b { y: 1 }\nc:\n  <<: *a\n  <<: *b\n')).toBeUndefined();
});
