/** Faulty slice files, by accident or on purpose. */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { damage, damaged, junk } from './hostile-values.ts';

const directory = new URL('../../slices/', import.meta.url);
const examples = readdirSync(directory).map((file) => readFileSync(new URL(file, directory), 'utf8'));
const example = fc.constantFrom(...examples);

/** Words, spaces and signs. */
const tokensOf = (text: string): string[] => text.match(/[\w./-]+|[ \t]+|./gs) ?? [];
const ownTokens = [...new Set(examples.flatMap(tokensOf))];

const scraps = [
  ...[
    '',
    ' ',
    '\t',
    '\n',
    '\r\n',
    '\r',
    '\n\n---\n',
    '\n...\n',
    ':',
    ': ',
    '- ',
    ',',
    '[',
    ']',
    '{',
    '}',
    '#',
    "'",
    '"',
  ],
  ...['|', '>', '? ', '&a ', '*a', '*b', '<<: *a', '!!binary x', '!!int ', '!t ', '!<tag:x> ', '%YAML 1.1\n', '@', '`'],
  ...[
    'null',
    '~',
    'true',
    'no',
    '0',
    '-1',
    '1e400',
    '-1e400',
    '.nan',
    '.inf',
    '0x7f',
    '0o17',
    '1_000',
    '99999999999999999999',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '__proto__: {a: 1}',
    '$(reboot)',
    '../../etc/passwd',
    '\u0000',
    '\u001b[2J',
  ],
  ...['\ufeff', '\ud800', '\u2028', '\u0085', '\u00a0', '\u202e', 'ａ', '0.0.0.0/0', '10.65.0.0/33', '::/0', '1e9Mbps'],
  'x'.repeat(3000),
];
const scrap = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...scraps) },
  { weight: 2, arbitrary: fc.constantFrom(...ownTokens) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);

/** Replaces, adds or removes tokens. */
const slipped = fc
  .tuple(example, fc.array(fc.tuple(fc.nat(), fc.nat(2), scrap), { minLength: 1, maxLength: 5 }))
  .map(([text, edits]) =>
    edits
      .reduce(
        (tokens, [where, length, put]) => tokens.toSpliced(where % (tokens.length + 1), length, put),
        tokensOf(text),
      )
      .join(''),
  );

/** Doubles lines (and with them keys), moves, removes or reindents them. */
const shuffled = fc
  .tuple(
    example,
    fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: -4, max: 4 }), fc.boolean()), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  .map(([text, moves]) =>
    moves
      .reduce((lines, [from, to, indent, keep]) => {
        const line = lines[from % Math.max(1, lines.length)] ?? '';
        const rest = keep ? lines : lines.toSpliced(from % Math.max(1, lines.length), 1);
        return rest.toSpliced(to % (rest.length + 1), 0, indented(line, indent));
      }, text.split('\n'))
      .join('\n'),
  );

function indented(line: string, by: number): string {
  return by >= 0 ? ' '.repeat(by) + line : line.replace(new RegExp(`^ {0,${-by}}`), '');
}

/** Well-formed YAML with values of the wrong kinds. */
const retyped = fc
  .tuple(example, fc.array(damage, { minLength: 1, maxLength: 3 }))
  .map(([text, edits]) => stringify(edits.reduce(damaged, parse(text) as unknown)));

/** Other bytes for the same text. */
const recoded = fc
  .tuple(fc.oneof(example, slipped), fc.constantFrom('bom', 'crlf', 'cr', 'tabs', 'utf-16'))
  .map(([text, how]) => {
    if (how === 'bom') return `\ufeff${text}`;
    if (how === 'crlf') return text.replaceAll('\n', '\r\n');
    if (how === 'cr') return text.replaceAll('\n', '\r');
    if (how === 'tabs') return text.replaceAll('  ', '\t');
    return Buffer.from(text, 'utf16le').toString('latin1');
  });

/** Aliases of aliases: each level contains the previous one many times. */
function laughs(levels: number, width: number): string {
  const lines = Array.from({ length: levels }, (_, level) => {
    const items = Array<string>(width).fill(level === 0 ? 'x' : `*a${level - 1}`);
    return `  - &a${level} [${items.join(', ')}]`;
  });
  return `slice: laughs\nvns:\n${lines.join('\n')}\n`;
}

/** The same thing many times. */
const swollen = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 }))
    .map(([levels, width]) => laughs(levels, width)),
  fc
    .tuple(
      fc.constantFrom('[', '{', '{a: ', '- ', '? ', '!t ', '&a ', "'", '"'),
      fc.integer({ min: 1, max: 20_000 }),
      example,
    )
    .map(([sign, times, text]) => `${text}more: ${sign.repeat(times)}`),
  fc.tuple(fc.integer({ min: 1, max: 400 }), example).map(([times, text]) => {
    const nest = Array.from({ length: times }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('');
    return `${text}vnet:\n${nest}`;
  }),
  fc
    .tuple(
      fc.constantFrom('vns', 'ntp', 'substrate', 'vn', 'placements', 'flows'),
      fc.constantFrom('{}', '[]', 'a', '1', '*a', '{name: a}'),
      fc.integer({ min: 1, max: 1500 }),
    )
    .map(
      ([key, item, times]) => `slice: much\na: &a {routers: [a]}\n${key}: [${Array(times).fill(item).join(', ')}]\n`,
    ),
  fc
    .tuple(
      fc.constantFrom('vn', 'placements', 'substrate: { nodes', 'vn: { gateways', 'vn: { endHosts'),
      fc.integer({ min: 1, max: 1500 }),
    )
    .map(
      ([key, times]) => `slice: keys\n${key}: {${Array.from({ length: times }, (_, i) => `k${i}: {}`).join(', ')}\n`,
    ),
  fc
    .tuple(example, fc.integer({ min: 1, max: 1500 }))
    .map(([text, times]) =>
      text.replace('links:\n', (found) => `${found}${'      - [absent, noone, 1]\n'.repeat(times)}`),
    ),
  fc
    .tuple(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 1500 }))
    .map(
      ([routers, placements]) =>
        `slice: wide\nvn: {name: a, routers: [${Array.from({ length: routers }, (_, i) => `r${i}`).join(', ')}]}\nplacements: {${Array.from({ length: placements }, (_, i) => `p${i}: {}`).join(', ')}}\n`,
    ),
);

export const sliceTexts: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: slipped },
  { weight: 6, arbitrary: shuffled },
  { weight: 6, arbitrary: retyped },
  { weight: 3, arbitrary: recoded },
  { weight: 1, arbitrary: swollen },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
  { weight: 1, arbitrary: junk.map((value) => stringify(value) ?? '') },
);
