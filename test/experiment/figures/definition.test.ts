import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { figureDefinition, figureDefinitions } from '../../../src/experiment/figures/index.ts';

const scatter = { name: 'loss', title: 'Loss', kind: 'scatter', from: 'flows', x: 'd_real_ms', y: 'lost_percent' };
const bars = { name: 'lag', title: 'Lag', kind: 'bars', from: 'redirections', x: 'gateway', y: 'lag_ms' };
const cdf = { name: 'lag', title: 'Lag', kind: 'cdf', from: 'redirections', x: 'lag_ms' };
const line = { name: 'time', title: 'Time', kind: 'line', x: 'packet_rate_pps', y: 'duration_ms' };

describe('figureDefinition', () => {
  test.each([
    { ...scatter, by: ['from', 'to'], panels: 'control', where: { urpf: ['strict', 'loose'], d_ms: 0 } },
    { ...scatter, model: { kind: 'loss', oldLatencyMs: 240, newLatencyMs: 160 }, labels: { forth: 'there' } },
    { ...scatter, x: { column: 'd_real_ms', label: 't2 - t1', unit: 's', scale: 'symlog', min: -8, max: 14 } },
    {
      ...scatter,
      paper: [
        { label: 'least', x: 89, y: 0.009 },
        { label: 'spread', x: [-7100, 3200] },
        { label: 'li', x: 240 },
      ],
    },
    {
      ...line,
      band: true,
      spread: 'range',
      paper: [
        {
          label: 'Xen',
          line: [
            [100, 17],
            [1000, 17],
          ],
        },
      ],
    },
    { ...bars, statistic: 'mean', paper: [{ label: 'at', x: 'ga', y: 536 }] },
    cdf,
  ])('figureDefinition accepts %j', (definition) => {
    expect(figureDefinition.parse(definition)).toEqual(definition);
  });

  test.each<[object, (string | number)[], string]>([
    [{ ...cdf, y: 'lag_ms' }, ['y'], "a figure of kind cdf has no 'y'"],
    [{ ...scatter, y: undefined }, [], "a figure of kind scatter needs 'y'"],
    [{ ...scatter, spread: 'range' }, ['spread'], "a figure of kind scatter has no 'spread'"],
    [{ ...bars, band: true }, ['band'], "a figure of kind bars has no 'band'"],
    [
      { ...line, statistic: 'mean', spread: 'interval' },
      ['spread'],
      'the interval is that of the median, not of the mean',
    ],
    [
      { ...line, y: { column: 'duration_ms', unit: 'Mbit/s' } },
      ['y', 'unit'],
      "'duration_ms' cannot be drawn in Mbit/s",
    ],
    [
      { ...line, y: { column: 'neighbour_events', unit: 's' } },
      ['y', 'unit'],
      "'neighbour_events' cannot be drawn in s",
    ],
    [{ ...line, x: { column: 'd_ms', scale: 'log', min: 0 } }, ['x'], 'a log axis has only numbers above 0'],
    [{ ...line, x: { column: 'd_ms', min: 5, max: 5 } }, ['x', 'max'], 'max (5) is not above min (5)'],
    [{ ...bars, x: { column: 'gateway', scale: 'log' } }, ['x'], 'the x axis of bars has categories'],
    [
      { ...line, model: { kind: 'loss' } },
      ['model'],
      'the loss model says what a flow loses at a difference D of two redirections',
    ],
    [
      { ...scatter, y: 'longest_gap_ms', model: { kind: 'loss' } },
      ['model'],
      'the loss model says what a flow loses at a difference D of two redirections',
    ],
    [{ ...scatter, paper: [{ label: 'x', x: [1, 2], y: 3 }] }, ['paper', 0], 'a range has only x or only y'],
    [{ ...scatter, paper: [{ label: 'x' }] }, ['paper', 0], "expected either 'line', or 'x' and 'y' or one of them"],
    [{ ...scatter, paper: [{ label: 'x', x: 'ga', y: 1 }] }, ['paper', 0], 'only bars have categories'],
    [{ ...bars, paper: [{ label: 'x', x: 4, y: 1 }] }, ['paper', 0], 'bars have categories on the x axis'],
    [{ ...scatter, paper: [{ label: 'x', x: 1, panel: 'at' }] }, ['paper', 0], 'the figure has no panels'],
  ])('figureDefinition refuses %j', (definition, path, message) => {
    const given: unknown = JSON.parse(JSON.stringify(definition));
    const { error } = figureDefinition.safeParse(given);
    expect(error?.issues).toMatchObject([{ code: 'custom', path, message, params: { hint: expect.any(String) } }]);
  });

  test('figureDefinition refuses names that are no file names', () => {
    for (const name of ['../x', 'Loss', '', 'a b', '-a']) {
      expect(figureDefinition.safeParse({ ...scatter, name }).success).toBe(false);
    }
  });

  test('figureDefinitions refuses a name that is used twice', () => {
    const { error } = figureDefinitions.safeParse([scatter, bars, { ...line, name: 'lag' }]);
    expect(error?.issues).toMatchObject([{ path: [2, 'name'], message: "the name 'lag' is used twice" }]);
  });

  test('every key of the JSON Schema has a description', () => {
    const without: string[] = [];
    const visit = (schema: Record<string, unknown>, path: string) => {
      for (const [key, child] of Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>)) {
        const isFixed = child.const !== undefined;
        if (child.description === undefined && !isFixed) without.push(`${path}${key}`);
        visit(child, `${path}${key}.`);
      }
      for (const child of (schema.anyOf ?? []) as Record<string, unknown>[]) visit(child, path);
      if (schema.items) visit(schema.items as Record<string, unknown>, `${path}[].`);
    };
    visit(z.toJSONSchema(figureDefinitions, { io: 'input' }) as Record<string, unknown>, '');
    expect(without).toEqual([]);
  });
});
