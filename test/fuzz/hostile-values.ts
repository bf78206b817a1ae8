/** Values that a careless program would stumble over. */
import fc from 'fast-check';

/** Stands for a number that JSON can write and no double can hold. */
export const tooLarge = '@1e999@';

const texts = [
  '',
  ' ',
  '-',
  '--help',
  '-batch',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/shadow',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  'Infinity',
  '0x10',
  '1e9',
  '$(reboot)',
  '`reboot`',
  '; reboot',
  '| tee /etc/passwd',
  'a b',
  'a\nb',
  'pv001-a\nlink del lo',
  'pv001-a\r\n',
  'pv001-a\u0000',
  'pv-a_x\u001b[2J',
  'pv001-\u0430',
  'pv001-a\u2028',
  '\ud800',
  '\u202eabc',
  '%s%n',
  '*',
  'pv001-',
  'pv-a_',
  'PV001-A',
  '010.65.0.1',
  '10.65.1',
  '0x0a.65.0.1',
  '10.65.0.1/16',
  '::1',
  '10.65.0.0/33',
  'x'.repeat(5000),
];
const numbers = [0, -0, -1, 0.5, 1e308, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), tooLarge];
const containers = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  JSON.parse('{"__proto__":{"isAdmin":true}}'),
  { constructor: { prototype: {} } },
  { toString: 1 },
  { length: 5 },
  JSON.parse('{"then":"x"}'),
  Array.from({ length: 2000 }, (_, index) => index),
];

/** Anything at all. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>(...texts, ...numbers, ...containers) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

/** Mostly a value of `own`, sometimes one that belongs to others, or junk. */
export function mostly(own: readonly unknown[], strange: readonly unknown[] = []): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...own) },
    { weight: strange.length > 0 ? 2 : 0, arbitrary: fc.constantFrom(...strange, ...own) },
    { weight: 1, arbitrary: junk },
  );
}

/** Returns a copy with a change: a key removed, added or given another value, at any depth. */
export const damage = fc.tuple(fc.nat(1000), fc.constantFrom('remove', 'add', 'replace'), junk);

export function damaged(
  value: unknown,
  [where, how, scrap]: readonly [number, 'remove' | 'add' | 'replace', unknown],
): unknown {
  const copy = structuredClone(value);
  const places = placesIn(copy);
  if (places.length === 0) return scrap;
  const { parent, key } = places[where % places.length]!;
  if (how === 'remove') delete parent[key];
  // Defined, because assigning to `__proto__` would do something else.
  else
    Object.defineProperty(parent, how === 'add' ? '__proto__' : key, {
      value: scrap,
      enumerable: true,
      configurable: true,
    });
  return copy;
}

interface Place {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesIn(parent[key])]);
}
