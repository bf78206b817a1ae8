import { describe, expect, test } from 'vitest';
import { comparisonText } from '../../../src/cli/comparison-text.ts';
import { compareResults, type Results } from '../../../src/experiment/statistics/compare-results.ts';
import { summarizeRuns, summaryTable } from '../../../src/experiment/statistics/runs.ts';
import { formatCsv, type Row } from '../../../src/experiment/table.ts';

const parameters = ['control', 'd_ms'];

interface Group {
  readonly control: string;
  readonly d_ms?: number;
  /** Durations of the completed runs, and how many failed. */
  readonly durations: readonly number[];
  readonly failed?: number;
  readonly lost?: number;
}

function results(name: string, groups: readonly Group[], changes: Partial<Results> = {}): Results {
  let run = 0;
  const rows = groups.flatMap(({ control, d_ms = 0, durations, failed = 0, lost = 0 }, index): Row[] => {
    const base = () => ({ run: ++run, combination: index + 1, repetition: 1, control, d_ms });
    return [
      ...durations.map((duration_ms) => ({ ...base(), outcome: 'completed', duration_ms, lost_packets: lost })),
      ...Array.from({ length: failed }, () => ({ ...base(), outcome: 'rolled-back', error: 'x', duration_ms: 1e6 })),
    ];
  });
  const columns = [
    'run',
    'combination',
    'repetition',
    ...parameters,
    'outcome',
    'error',
    'duration_ms',
    'lost_packets',
  ];
  return { name, samples: { columns, rows }, parameters, fixed: { slice: 'two-node' }, ...changes };
}

const around = (middle: number) => Array.from({ length: 10 }, (_, index) => middle + index - 4.5);

describe('summarizeRuns', () => {
  test('summarizeRuns counts failed runs of a combination, and does not use their values', () => {
    const { samples } = results('a', [
      { control: 'remote', durations: around(100), failed: 2 },
      { control: 'gateway', durations: [7] },
    ]);
    const rows = summarizeRuns(samples, parameters);
    expect(rows.map(({ combination, measure, summary }) => [combination, measure, summary.n, summary.failed])).toEqual([
      [1, 'duration_ms', 10, 2],
      [1, 'lost_packets', 10, 2],
      [2, 'duration_ms', 1, 0],
      [2, 'lost_packets', 1, 0],
    ]);
    expect(rows[0]!.summary.median).toBe(100);
    expect(formatCsv(summaryTable(rows.slice(2), parameters))).toBe(
      'combination,control,d_ms,measure,n,failed,median,p5,p95,ci95_low,ci95_high\n' +
        '2,gateway,0,duration_ms,1,0,7,7,7,,\n' +
        '2,gateway,0,lost_packets,1,0,0,0,0,,\n',
    );
  });

  test('summarizeRuns leaves out skipped runs, and measures that no run has', () => {
    const columns = ['run', 'combination', 'outcome', 'a_ms', 'b_ms'];
    const rows = [
      { run: 1, combination: 1, outcome: 'completed', a_ms: 5, b_ms: null },
      { run: 2, combination: 1, outcome: 'skipped', a_ms: null, b_ms: null },
    ];
    const [only, ...others] = summarizeRuns({ columns, rows }, []);
    expect(only).toMatchObject({ measure: 'a_ms', summary: { n: 1, failed: 0 } });
    expect(others).toEqual([]);
  });
});

describe('compareResults', () => {
  test('compareResults matches combinations by their parameters, in any order', () => {
    const a = results('a', [
      { control: 'remote', durations: around(100) },
      { control: 'gateway', durations: around(50) },
    ]);
    const b = results('b', [
      { control: 'gateway', durations: around(50.5) },
      { control: 'remote', durations: around(200), failed: 1 },
    ]);
    const { varied, rows } = compareResults(a, b);
    expect(varied).toEqual(['control']);
    const durations = rows.filter(({ measure }) => measure === 'duration_ms');
    expect(durations.map((row) => [row.parameters.control, row.effect?.value, row.effect?.isShown])).toEqual([
      ['remote', expect.closeTo(2, 9), true],
      ['gateway', expect.closeTo(1.01, 9), false],
    ]);
    expect(durations[0]!.b.failed).toBe(1);
    expect(rows.find(({ measure }) => measure === 'lost_packets')!.effect).toMatchObject({
      kind: 'difference',
      value: 0,
    });
  });

  test('comparisonText names effects, intervals, and where no difference is shown', () => {
    const a = results('results/speed/1', [
      { control: 'remote', durations: around(100) },
      { control: 'gateway', durations: around(50) },
      { control: 'other', durations: [1, 2], failed: 3 },
    ]);
    const b = results('results/speed/2', [
      { control: 'remote', durations: around(200), lost: 4 },
      { control: 'gateway', durations: around(50.5) },
      { control: 'other', durations: [], failed: 1 },
    ]);
    expect(comparisonText(compareResults(a, b))).toMatchInlineSnapshot(`
      "A: results/speed/1
      B: results/speed/2

      control  measured value  A median  n             B median  n             effect  95 % interval    finding
      -------  --------------  --------  ------------  --------  ------------  ------  ---------------  -------------------
      remote   duration_ms          100  10                 200  10            x 2     1.938 to 2.065   B is larger
      remote   lost_packets           0  10                   4  10            +4      +4 to +4         B is larger
      gateway  duration_ms           50  10                50.5  10            x 1.01  0.9323 to 1.094  no difference shown
      gateway  lost_packets           0  10                   0  10            0       0 to 0           no difference shown
      other    duration_ms          1.5  2 (3 failed)         -  0 (1 failed)  -       -                no values
      other    lost_packets           0  2 (3 failed)         -  0 (1 failed)  -       -                no values

      effect: x is the ratio B / A of the medians; + and - is the difference B - A, where a median or its interval touches 0"
    `);
  });

  test('compareResults names measured values that only one of the two has', () => {
    const groups = [{ control: 'remote', durations: around(100) }];
    const a = results('a', groups);
    const b = results('b', groups);
    const more = { ...b, samples: { ...b.samples, columns: [...b.samples.columns, 'freeze_ms'] } };
    expect(compareResults(a, more).onlyIn).toEqual({ a: [], b: ['freeze_ms'] });
    expect(comparisonText(compareResults(a, more))).toContain('\nonly B has: freeze_ms\n');
  });

  const one = [{ control: 'remote', durations: around(100) }];
  test.each<[string, Results, string]>([
    [
      'other values',
      results('b', [{ control: 'gateway', d_ms: 80, durations: around(100) }]),
      "'control' is remote in the first and gateway in the second; 'd_ms' is 0 in the first and 80 in the second",
    ],
    [
      'another parameter',
      results('b', one, { parameters: ['control', 'd_ms', 'urpf'] }),
      "only the second has the parameter 'urpf'",
    ],
    [
      'another slice',
      results('b', one, { fixed: { slice: 'three-node', traffic: 'iperf3' } }),
      "'slice' is two-node in the first and three-node in the second; 'traffic' is not set in the first and iperf3 in the second",
    ],
  ])('compareResults refuses results with %s', (_, b, message) => {
    const a = results('a', one);
    expect(() => compareResults(a, b)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: `results 'a' and 'b' cannot be compared: ${message}` }),
    );
  });

  test('compareResults refuses results with the same values in other combinations', () => {
    const group = (control: string, d_ms: number) => ({ control, d_ms, durations: [1] });
    const a = results('a', [group('remote', 0), group('gateway', 80), group('gateway', 0)]);
    const b = results('b', [group('remote', 80), group('gateway', 0), group('gateway', 80)]);
    expect(() => compareResults(a, b)).toThrow(
      'only the first has the combination control=remote, d_ms=0; only the second has the combination control=remote, d_ms=80',
    );
  });
});
