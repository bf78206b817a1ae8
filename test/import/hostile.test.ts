/** Whatever a file contains, an import makes a slice file without faults, or one error. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats, type ImportOptions, importSlice } from '../../src/import/index.ts';
import { VnmError } from '../../src/model/errors.ts';
import { checkSlice } from '../../src/slicefile/index.ts';
import { inputs, optionsOf, sourceOf } from './support/inputs.ts';

function outcome(texts: readonly string[], options: ImportOptions = {}): 'slice' | 'error' {
  try {
    const { text, remarks } = importSlice(
      texts.map((text, index) => ({ file: `file-${index}`, text })),
      options,
    );
    expect(checkSlice(text, 'slice.yaml')).toHaveProperty('slice');
    for (const remark of remarks) expect(remark.position.line).toBeGreaterThan(0);
    return 'slice';
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    expect(error.code).toBe('invalid-input');
    expect(error.message).toMatch(/^(file-\d(:\d+:\d+)?: |there is no network )/);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message).not.toContain('the slice file would have faults');
    return 'error';
  }
}

const scraps = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\n',
    '\t',
    '"',
    "'",
    '<',
    '>',
    '/>',
    '&',
    '&amp;',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '#',
    '=',
    '- ',
  ),
  fc.constantFrom(
    'null',
    'true',
    '-1',
    '1e999',
    '__proto__',
    'constructor',
    '*a',
    '&a ',
    '!x ',
    '<<: ',
    '[1:99]',
    '\u0000',
    '\ud800',
  ),
  fc.constantFrom('10.65.0.1', '::1', 'localhost', '127.0.0.1', '\u001b[31m', '{{ x }}', 'None', 'N/A', '\u2028'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

const mutated = fc
  .tuple(
    fc.constantFrom(...inputs),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40), scraps), { minLength: 1, maxLength: 4 }),
  )
  .map(([file, changes]) => {
    const text = changes.reduce((before, [place, length, scrap]) => {
      const start = Math.floor(place * before.length);
      return `${before.slice(0, start)}${scrap}${before.slice(start + length)}`;
    }, sourceOf(file).text);
    return { text, options: optionsOf(file) };
  });

describe('hostile files', () => {
  it('a damaged file becomes a slice or one error', () => {
    fc.assert(
      fc.property(mutated, ({ text, options }) => {
        outcome([text], options);
      }),
      { numRuns: 800 },
    );
  });

  it('damaged files together become a slice or one error', () => {
    fc.assert(
      fc.property(mutated, mutated, (one, two) => {
        outcome([one.text, two.text], { user: 'me' });
      }),
      { numRuns: 300 },
    );
  });

  it('any text becomes a slice or one error, whatever format it is said to have', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.json({ maxDepth: 4 }),
      mutated.map((one) => one.text),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...formats), (content, format) => {
        outcome([content], { format });
      }),
      { numRuns: 400 },
    );
  });

  it('any names of nodes become legal', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), (names) => {
        const listing = names.map((one, index) => ({ name: one, management_ip: `192.0.2.${index + 1}` }));
        const blank = names.some((one) => one.trim() === '' || one.trim() === 'None');
        const trimmed = new Set(names.map((one) => one.trim())).size < names.length;
        const got = outcome([JSON.stringify(listing)]);
        if (!blank && !trimmed) expect(got).toBe('slice');
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['many nested elements', `<rspec type="manifest">${'<node>'.repeat(20_000)}`],
    [
      'many entities',
      `<!DOCTYPE a [${Array.from({ length: 30 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};">`).join('')}]><graphml><graph>&e30;</graph></graphml>`,
    ],
    [
      'an external entity',
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><graphml><graph>&x;</graph></graphml>',
    ],
    [
      'many aliases',
      `a: &a [x, x]\n${Array.from({ length: 30 }, (_, n) => `b${n}: &b${n} [${n === 0 ? '*a, *a' : `*b${n - 1}, *b${n - 1}`}]`).join('\n')}\n`,
    ],
    ['deep lists', `${'['.repeat(100_000)}`],
    ['deep maps', `${'{"a":'.repeat(50_000)}`],
    [
      'long chains of groups',
      `[g0]\nx\n${Array.from({ length: 30_000 }, (_, n) => `[g${n + 1}:children]\ng${n}`).join('\n')}`,
    ],
    ['wide groups', `[g]\n${Array.from({ length: 9_000 }, (_, n) => `host${n}`).join('\n')}`],
    ['ranges of ranges', '[g]\nh[0:999][0:999][0:999]\n'],
    ['a crowded collision domain', Array.from({ length: 40_000 }, (_, n) => `d${n}[0]="A"`).join('\n')],
    [
      'chained bridges',
      `topology:\n  nodes:\n    a:\n    b:\n${Array.from({ length: 3000 }, (_, n) => `    s${n}: {kind: bridge}`).join('\n')}\n  links:\n${Array.from({ length: 2999 }, (_, n) => `    - endpoints: ["s${n}:a", "s${n + 1}:b"]`).join('\n')}\n`,
    ],
    [
      'a graph of many edges',
      `<graphml><graph><node id="a"/><node id="b"/>${'<edge source="a" target="b"/>'.repeat(30_000)}</graph></graphml>`,
    ],
  ])('%s are bounded', (_name, text) => {
    outcome([text], { user: 'me' });
  });
});
