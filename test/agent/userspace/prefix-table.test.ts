import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type PrefixTable, preparePrefixTable } from '../../../src/agent/dataplane/userspace/prefix-table.ts';
import { atOnce } from '../../../src/agent/dataplane/userspace/steps.ts';
import { containsAddress, maskTo, type Prefix } from '../../../src/model/address.ts';

const createPrefixTable = (prefixes: readonly Prefix[]): PrefixTable => atOnce(preparePrefixTable(prefixes));

const anyAddress = fc.nat(0xffffffff);
const anyPrefix = fc
  .record({ address: anyAddress, length: fc.nat(32) })
  .map(({ address, length }): Prefix => ({ base: maskTo(address, length), length }));

/** As PrefixTable.find, by looking at every prefix. */
function scan(prefixes: readonly Prefix[], address: number): number {
  return prefixes.reduce((best, prefix, position) => {
    if (!containsAddress(prefix, address)) return best;
    return best === -1 || prefix.length >= prefixes[best]!.length ? position : best;
  }, -1);
}

/** The same with a map for each length, for tables that are too large to look at every prefix. */
function createModel(prefixes: readonly Prefix[]): (address: number) => number {
  const positions = Array.from({ length: 33 }, () => new Map<number, number>());
  for (const [position, { base, length }] of prefixes.entries()) positions[length]!.set(base, position);
  const used = [...positions.keys()].filter((length) => positions[length]!.size > 0);
  const longestFirst = used.toReversed();
  return (address) => {
    for (const length of longestFirst) {
      const position = positions[length]!.get(maskTo(address, length));
      if (position !== undefined) return position;
    }
    return -1;
  };
}

/** Addresses at and next to the ends of prefixes, where mistakes are. */
function edges({ base, length }: Prefix): number[] {
  const last = base + 2 ** (32 - length) - 1;
  return [base, last, base - 1, last + 1].filter((address) => address >= 0 && address <= 0xffffffff);
}

it('a look-up finds the prefix that a linear scan finds', () => {
  fc.assert(
    fc.property(fc.array(anyPrefix, { maxLength: 40 }), fc.array(anyAddress), (prefixes, others) => {
      const table = createPrefixTable(prefixes);
      const model = createModel(prefixes);
      for (const address of [...prefixes.flatMap(edges), ...others]) {
        const found = scan(prefixes, address);
        expect(table.find(address)).toBe(found);
        expect(model(address)).toBe(found);
      }
    }),
  );
});

it('a look-up finds the longest of nested prefixes, and the last of equal ones', () => {
  const nested = fc.record({ address: anyAddress, lengths: fc.array(fc.nat(32), { minLength: 1, maxLength: 40 }) });
  fc.assert(
    fc.property(nested, ({ address, lengths }) => {
      const prefixes = lengths.map((length): Prefix => ({ base: maskTo(address, length), length }));
      const table = createPrefixTable(prefixes);
      expect(table.find(address)).toBe(lengths.lastIndexOf(Math.max(...lengths)));
      for (const edge of prefixes.flatMap(edges)) expect(table.find(edge)).toBe(scan(prefixes, edge));
    }),
  );
});

it('an empty table finds nothing', () => {
  expect(createPrefixTable([]).find(0)).toBe(-1);
  expect(createPrefixTable([]).find(0xffffffff)).toBe(-1);
});

/** Xorshift (Marsaglia, 2003) with 32 bits. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** At both sides of the ends of bytes. Few, since the model looks at each. */
const lengths = [8, 9, 15, 16, 17, 23, 24, 25, 31, 32];

it('1,000,000 look-ups in tables of 10, 1,000 and 100,000 prefixes find what the model finds', () => {
  const next = seeded(20_261_130);
  for (const count of [10, 1000, 100_000]) {
    const prefixes = Array.from({ length: count }, (): Prefix => {
      const length = lengths[next() % lengths.length]!;
      return { base: maskTo(next(), length), length };
    });
    const table = createPrefixTable(prefixes);
    const model = createModel(prefixes);
    let wrong = 0;
    for (let look = 0; look < 333_334; look += 1) {
      const { base, length } = prefixes[next() % count]!;
      const inside = length === 32 ? base : (base | (next() >>> length)) >>> 0;
      const address = look % 2 === 0 ? inside : next();
      if (table.find(address) !== model(address)) wrong += 1;
    }
    expect(wrong).toBe(0);
  }
});
