import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCsv, parseCsv } from '../../src/experiment/table.ts';

test('formatCsv quotes only fields that need it', () => {
  const table = {
    columns: ['run', 'error', 'lost_ms'],
    rows: [
      { run: 1, error: null, lost_ms: 0.5 },
      { run: 2, error: 'said "no", twice\nthen nothing' },
    ],
  };
  const text = 'run,error,lost_ms\n1,,0.5\n2,"said ""no"", twice\nthen nothing",\n';
  expect(formatCsv(table)).toBe(text);
  expect(parseCsv(text, 'samples.csv').rows[1]).toEqual({
    run: 2,
    error: 'said "no", twice\nthen nothing',
    lost_ms: null,
  });
});

test('parseCsv reads what formatCsv wrote', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é') });
  // A text that looks like a number is read as that number.
  const cell = fc.oneof(
    text.filter((value) => value !== '' && String(Number(value)) !== value),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(fc.record({ a: cell, b: cell }, { requiredKeys: ['a', 'b'] })), (rows) => {
      const table = { columns: ['a', 'b'], rows: rows.map((row) => ({ ...row })) };
      expect(parseCsv(formatCsv(table), 'x.csv')).toEqual(table);
    }),
  );
});

test('parseCsv accepts lines that end in CR LF, and a last line that does not end', () => {
  expect(parseCsv('a,b\r\n1,x\r\n2,y', 'x.csv').rows).toEqual([
    { a: 1, b: 'x' },
    { a: 2, b: 'y' },
  ]);
});

test('parseCsv reads as numbers only what is written as one', () => {
  expect(parseCsv('a\n007\n1e3\n1000\n-0.5\n0x10\nInfinity\n', 'x.csv').rows.map(({ a }) => a)).toEqual([
    '007',
    '1e3',
    1000,
    -0.5,
    '0x10',
    'Infinity',
  ]);
});

test.each([
  ['', 'x.csv: the table has no heading'],
  ['a,b\n1,2\n"x\ny",2\n3\n', 'x.csv:5: the row has 1 fields, the heading has 2'],
  ['a,b\n1,"2\n', 'x.csv:2: a quote is not closed, or misplaced'],
  ['a,b\n1,2"3\n', 'x.csv:2: a quote is not closed, or misplaced'],
])('parseCsv of %j throws "%s"', (text, message) => {
  expect(() => parseCsv(text, 'x.csv')).toThrow(expect.objectContaining({ code: 'invalid-input', message }));
});
