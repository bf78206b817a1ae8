import { describe, expect, test } from 'vitest';
import { contentOf, contentTable } from '../../../src/experiment/figures/content.ts';
import { figureDefinition, type ResultTables } from '../../../src/experiment/figures/index.ts';
import { formatCsv, type Row } from '../../../src/experiment/table.ts';
import { strictLossMs } from '../../../src/planning/loss/strict.ts';
import { rates, threeNodes, twoNodes } from '../made-up.ts';

function tablesOf(tables: Partial<Record<keyof ResultTables, Row[]>>): ResultTables {
  const table = (rows: Row[] = []) => ({ columns: [...new Set(rows.flatMap(Object.keys))], rows });
  return {
    samples: table(tables.samples),
    flows: table(tables.flows),
    redirections: table(tables.redirections),
    phases: table(tables.phases),
  };
}

function content(tables: ResultTables, definition: object) {
  return contentOf(tables, figureDefinition.parse({ name: 'x', title: 'X', ...definition }));
}

const loss = { kind: 'scatter', from: 'flows', x: 'd_real_ms', y: 'lost_ms' };

describe('rows', () => {
  const samples: Row[] = [
    { run: 1, control: 'remote', outcome: 'completed', duration_ms: 1500 },
    { run: 2, control: 'remote', outcome: 'failed', duration_ms: 9000 },
    { run: 3, control: 'gateway', outcome: 'completed', duration_ms: 1000 },
    { run: 4, control: 'gateway', outcome: 'completed', duration_ms: null },
    { run: 5, control: 'gateway', outcome: 'skipped', duration_ms: null },
  ];
  const redirections: Row[] = [1, 2, 3, 4].flatMap((run) => [
    { run, gateway: 'ga', lag_ms: run },
    { run, gateway: 'gb', lag_ms: 10 * run },
  ]);

  test('only completed runs are drawn; failed ones and missing values are counted', () => {
    const figure = content(tablesOf({ samples }), { kind: 'scatter', x: 'run', y: 'duration_ms', by: 'control' })!;
    expect(figure.rows.map(({ series, x, y, run }) => [series, x, y, run])).toEqual([
      ['gateway', 3, 1000, 3],
      ['remote', 1, 1500, 1],
    ]);
    expect(figure.notes).toEqual(['A point per run, 3 runs.', 'Not shown: 1 failed run, 1 row without a value.']);
  });

  test('rows of redirections have the parameters of their run', () => {
    const figure = content(tablesOf({ samples, redirections }), {
      kind: 'bars',
      from: 'redirections',
      x: 'gateway',
      y: { column: 'lag_ms', unit: 's' },
      by: 'control',
      labels: { remote: 'over SSH', gateway: 'armed' },
      spread: 'none',
    })!;
    expect(formatCsv(contentTable(figure))).toBe(
      'role,series,gateway,lag_s,n\n' +
        'measured,over SSH,ga,0.001,1\nmeasured,over SSH,gb,0.01,1\n' +
        'measured,armed,ga,0.0035,2\nmeasured,armed,gb,0.035,2\n',
    );
    expect([figure.x.title, figure.y.title]).toEqual(['gateway', 'lag (s)']);
  });

  test('a level is a line across at the median of rows without x, which are no points', () => {
    const samples = [1, 2, 3].map((run) => ({ run, outcome: 'completed', method: run < 3 ? 'vroom' : 'instance' }));
    const flows = [
      { run: 1, d_real_ms: null, lost_ms: 4 },
      { run: 2, d_real_ms: null, lost_ms: 6 },
      { run: 3, d_real_ms: 100, lost_ms: 140 },
    ];
    const level = { label: 'router by router', where: { method: 'vroom' } };
    const draw = (y: object) =>
      content(tablesOf({ samples, flows }), { kind: 'scatter', from: 'flows', x: 'd_real_ms', y, level })!;
    const figure = draw({ column: 'lost_ms' });
    expect(figure.rows.map(({ series, x, y, n, shape }) => [series, x, y, n, shape])).toEqual([
      ['measured', 100, 140, 1, 'point'],
      ['router by router', null, 5, 2, 'rule'],
    ]);
    expect(figure.series.map(({ name }) => name)).toEqual(['measured', 'router by router']);
    expect(figure.notes).toEqual([
      'A point per flow of a run, 1 run.',
      'The line across is the median of 2 flows: router by router.',
    ]);
    expect(draw({ column: 'lost_ms', min: 100 }).notes).toContain('Not shown: router by router, outside the axes.');
  });

  test('a figure names no column in its level that the tables do not have', () => {
    const samples = [{ run: 1, outcome: 'completed', duration_ms: 1 }];
    const level = { label: 'x', where: { methode: 'vroom' } };
    const draw = () => content(tablesOf({ samples }), { kind: 'scatter', x: 'run', y: 'duration_ms', level });
    expect(draw).toThrow("samples have no column 'methode'");
  });

  test('phases are in the order in which migrations have them', () => {
    const samples = [{ run: 1, outcome: 'completed' }];
    const given = ['drain', 'flip', 'clone', 'measure', 'set up'];
    const phases = given.map((phase, index) => ({ run: 1, phase, phase_ms: index }));
    const figure = content(tablesOf({ samples, phases }), { kind: 'bars', from: 'phases', x: 'phase', y: 'phase_ms' })!;
    expect(figure.categories).toEqual(['set up', 'clone', 'flip', 'measure', 'drain']);
    expect(figure.notes).toEqual(['Each value is one of the runs.']);
  });

  test('where selects rows, and counts only the failed runs that it can mean', () => {
    const draw = (where: object) =>
      content(tablesOf({ samples, redirections }), { kind: 'cdf', from: 'redirections', x: 'lag_ms', where })!;
    expect(draw({ gateway: 'gb', control: ['remote'] }).notes).toEqual([
      'Each redirection counts once, 1 run.',
      'Not shown: 1 failed run.',
    ]);
    expect(draw({ control: 'gateway' }).notes).toEqual(['Each redirection counts once, 2 runs.']);
  });

  test('cdf shows the share of rows with at most x, ties once', () => {
    const figure = content(
      tablesOf({ samples: [3, 1, 3, 4].map((value, run) => ({ run, outcome: 'completed', value_ms: value })) }),
      { kind: 'cdf', x: 'value_ms' },
    )!;
    expect(figure.rows.map(({ x, y }) => [x, y])).toEqual([
      [1, 0],
      [1, 25],
      [3, 75],
      [4, 100],
    ]);
  });

  test('line has medians and their intervals at each x, from six values on', () => {
    const tables = rates();
    const lastRuns = tables.samples.rows.filter((row) => row.packet_rate_pps !== 100 || Number(row.repetition) > 5);
    const figure = content(
      { ...tables, samples: { ...tables.samples, rows: lastRuns } },
      { kind: 'line', x: 'packet_rate_pps', y: 'duration_ms', by: 'method' },
    )!;
    expect(figure.rows.map(({ x }) => x).slice(0, 7)).toEqual([100, 500, 1000, 2000, 5000, 10_000, 20_000]);
    const [first, second] = figure.rows;
    expect([first!.n, first!.low, second!.n]).toEqual([5, null, 10]);
    expect(second!.low).toBeLessThan(second!.y!);
    expect(figure.notes).toEqual([
      'Medians of 5 to 10 runs each, bars with ends: 95 % interval of the median (from 6 values on).',
    ]);
  });

  test('series are in the order of labels, then numbers by size', () => {
    const rows = [20, 3, 100].map((rate, run) => ({ run, outcome: 'completed', rate_pps: rate, gap_ms: 1 }));
    const draw = (labels: object) =>
      content(tablesOf({ samples: rows }), { kind: 'scatter', x: 'run', y: 'gap_ms', by: 'rate_pps', labels })!;
    expect(draw({}).series.map(({ name }) => name)).toEqual(['3', '20', '100']);
    expect(draw({ 100: 'fast' }).series.map(({ name }) => name)).toEqual(['fast', '3', '20']);
  });

  test('the name of a series leaves out what its runs do not have', () => {
    const rows: Row[] = [
      { run: 1, outcome: 'completed', method: 'instance', schedule: 'optimal', gap_ms: 1 },
      { run: 2, outcome: 'completed', method: 'vroom', schedule: null, gap_ms: 1 },
    ];
    const draw = (by: unknown) => content(tablesOf({ samples: rows }), { kind: 'scatter', x: 'run', y: 'gap_ms', by })!;
    expect(draw(['method', 'schedule']).series.map(({ name }) => name)).toEqual(['instance, optimal', 'vroom']);
    expect(draw('schedule').series.map(({ name }) => name)).toEqual(['none', 'optimal']);
  });

  test('names with numbers are in the order of these', () => {
    const rows = ['r10', 'r2', 'r1'].map((router, run) => ({ run, outcome: 'completed', router, gap_ms: 1 }));
    const figure = content(tablesOf({ samples: rows }), { kind: 'bars', x: 'router', y: 'gap_ms' })!;
    expect(figure.categories).toEqual(['r1', 'r2', 'r10']);
    expect(figure.notes).toEqual(['Each value is one of the runs.']);
  });

  test('a logarithmic axis has no place for 0: such values are counted', () => {
    const rows = [0, 0, 5].map((value, run) => ({ run, outcome: 'completed', lost_packets: value }));
    const draw = (scale: string) =>
      content(tablesOf({ samples: rows }), { kind: 'scatter', x: 'run', y: { column: 'lost_packets', scale } })!;
    expect(draw('log').notes[1]).toBe('Not shown: 2 values outside the axes.');
    expect(draw('symlog').notes).toHaveLength(1);
  });

  test('contentOf without any value is undefined', () => {
    expect(content(tablesOf({ samples: samples.slice(1, 2) }), { kind: 'cdf', x: 'duration_ms' })).toBeUndefined();
  });

  test('contentOf refuses a column that does not exist', () => {
    expect(() => content(tablesOf({ samples }), { kind: 'cdf', x: 'duration' })).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: "figure 'x': samples have no column 'duration'",
        hint: 'columns: run, control, outcome, duration_ms',
      }),
    );
    expect(() => content(threeNodes(), { ...loss, by: 'gateways', where: { flow: 'ea → eb' } })).not.toThrow();
    expect(() => content(tablesOf({ samples }), { kind: 'cdf', x: 'duration_ms', by: 'flow' })).toThrow("'flow'");
  });
});

describe("the loss model's curve", () => {
  const curveOf = (definition: object, tables = twoNodes()) =>
    content(tables, { ...loss, where: { direction: 'forth' }, model: { kind: 'loss' }, ...definition })!.rows.filter(
      ({ role }) => role === 'model',
    );

  test('the curve has the corners of the loss model at the measured latencies', () => {
    const curve = curveOf({});
    expect(curve).toHaveLength(4);
    expect(curve[0]!.series).toBe('loss model, 240 → 160 ms');
    const [start, fast, slow, end] = curve.map(({ x, y }) => [Number(x), Number(y)] as const);
    expect(fast![0]).toBeCloseTo(160, 0);
    expect(slow![0]).toBeCloseTo(240, 0);
    expect(fast![1]).toBeCloseTo(slow![0] - fast![0], 9);
    expect(start![1]).toBeCloseTo(slow![0] - start![0], 9);
    expect(end![1]).toBeCloseTo(end![0] - fast![0], 9);
  });

  test.each([
    ['lost_ms', 1],
    ['lost_packets', 1_500_000 / 8 / 1470 / 1000],
    ['lost_percent', (100 * (1_500_000 / 8 / 1470 / 1000)) / 1276],
  ])('the curve of %s is the lost time in the unit drawn', (y, perMs) => {
    const model = { kind: 'loss', oldLatencyMs: 240, newLatencyMs: 160 };
    const curve = curveOf({ y, model, x: { column: 'd_real_ms', scale: 'symlog', unit: 's' } });
    expect(curve.length).toBeGreaterThan(200);
    for (const { x, y: lost } of curve) {
      const expected = perMs * strictLossMs({ oldMs: 240, newMs: 160, differenceMs: Number(x) * 1000 });
      expect(lost).toBeCloseTo(expected, 6);
    }
  });

  test('each series has its own curve, in the order of the series', () => {
    const curve = curveOf({ where: {}, by: 'direction', labels: { forth: 'there', back: 'back again' } });
    expect([...new Set(curve.map(({ series }) => series))]).toEqual(['loss model, there', 'loss model, back again']);
    const least = (name: string) =>
      Math.min(...curve.filter(({ series }) => series === `loss model, ${name}`).map(({ y }) => y!));
    expect(least('there')).toBeCloseTo(80, 0);
    expect(least('back again')).toBe(0);
  });

  test('series with the same latencies and rates share a curve', () => {
    const curve = curveOf({ where: {}, by: 'flow', panels: 'control' }, threeNodes());
    expect([...new Set(curve.map(({ series }) => series))]).toEqual(['loss model, 45 → 50 ms']);
    expect([...new Set(curve.map(({ panel }) => panel))]).toEqual(['at', 'gateway', 'remote']);
    expect(curve).toHaveLength(3 * 4);
  });

  test('how much was sent does not matter to lost time, nor measured latencies to given ones', () => {
    const tables = twoNodes();
    const rows = tables.flows.rows.map((row, index) => ({ ...row, sent_packets: 500 * (1 + (index % 3)) }));
    const unequal = { ...tables, flows: { ...tables.flows, rows } };
    const seriesOf = (definition: object) => new Set(curveOf(definition, unequal).map(({ series }) => series));
    expect([...seriesOf({ y: 'lost_ms' })]).toEqual(['loss model, 240 → 160 ms']);
    expect([...seriesOf({ y: 'lost_percent' })]).not.toEqual(['loss model, 240 → 160 ms']);
    const model = { kind: 'loss', oldLatencyMs: 240, newLatencyMs: 160 };
    const figure = content(unequal, { ...loss, y: 'lost_ms', model })!;
    expect(figure.notes.filter((note) => note.includes('loss model'))).toEqual([]);
  });

  test('a series with flows of different latencies is named', () => {
    const notes = (where: object) =>
      content(twoNodes(), { ...loss, where, model: { kind: 'loss' } })!.notes.filter((note) => note.includes('model'));
    expect(notes({ direction: 'forth' })).toEqual([]);
    expect(notes({})).toEqual(['The loss model is drawn for median latencies; those of a series differ.']);
  });

  test('under feasible and loose uRPF nothing is lost, and mixed modes are refused', () => {
    const tables = twoNodes();
    const withUrpf = (urpfOf: (row: Row) => string) => {
      const rows = tables.samples.rows.map((row) => ({ ...row, urpf: urpfOf(row) }));
      return { ...tables, samples: { ...tables.samples, rows } };
    };
    const flat = curveOf(
      {},
      withUrpf(() => 'feasible'),
    );
    expect(flat.every(({ y }) => y === 0)).toBe(true);
    expect(() =>
      curveOf(
        {},
        withUrpf(({ run }) => (Number(run) % 2 ? 'strict' : 'loose')),
      ),
    ).toThrow("figure 'x': a series with uRPF modes strict and loose has no single curve of the loss model");
  });
});

describe('what papers report', () => {
  test('values of papers are marked as theirs, in each panel or in one', () => {
    const figure = content(threeNodes(), {
      ...loss,
      panels: 'control',
      paper: [
        { label: 'least', x: 1, y: 2 },
        { label: 'spread', x: [-7800, 13_100], panel: 'remote' },
        { label: 'limit', y: 240, panel: 'at' },
        {
          label: 'other',
          line: [
            [0, 1],
            [5, 2],
          ],
          panel: 'at',
        },
      ],
    })!;
    const paper = figure.rows.filter(({ role }) => role === 'paper');
    expect(paper.map(({ panel, series, shape }) => [panel, series, shape])).toEqual([
      ['at', 'least (paper)', 'point'],
      ['gateway', 'least (paper)', 'point'],
      ['remote', 'least (paper)', 'point'],
      ['remote', 'spread (paper)', 'range'],
      ['at', 'limit (paper)', 'rule'],
      ['at', 'other (paper)', 'line'],
      ['at', 'other (paper)', 'line'],
    ]);
    expect(figure.series.map(({ role }) => role)).toEqual(['measured', 'paper', 'paper', 'paper', 'paper']);
  });
});
