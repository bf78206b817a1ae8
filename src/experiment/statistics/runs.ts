import type { Row, Table } from '../table.ts';
import { type Summary, summarize } from './summary.ts';

/** The columns of samples.csv that are neither parameters nor measured values. */
const ofTheRun = ['run', 'combination', 'repetition', 'started_at', 'outcome', 'error'];
const failures = ['failed', 'rolled-back'];

/** The runs with the same parameters. */
export interface Combination {
  readonly number: number;
  /** The values of the parameters. */
  readonly parameters: Row;
  readonly completed: readonly Row[];
  readonly failed: readonly Row[];
}

/** A row of summary.csv. */
export interface SummaryRow {
  readonly combination: number;
  readonly parameters: Row;
  readonly measure: string;
  readonly summary: Summary;
}

/**
 * The runs of samples.csv by combination, in the order of their numbers. Runs that the stop rule skipped are in
 * neither list.
 */
export function combinationsOf(samples: Table, parameters: readonly string[]): Combination[] {
  const byNumber = Map.groupBy(samples.rows, ({ combination }) => Number(combination));
  return [...byNumber]
    .toSorted(([a], [b]) => a - b)
    .map(([number, rows]) => ({
      number,
      parameters: Object.fromEntries(parameters.map((name) => [name, rows[0]![name] ?? null])),
      completed: rows.filter(({ outcome }) => outcome === 'completed'),
      failed: rows.filter(isFailed),
    }));
}

/** Whether a run of samples.csv failed; one that was rolled back did. */
export function isFailed({ outcome }: Row): boolean {
  return failures.includes(String(outcome));
}

/** The columns with measured values, in their order. */
export function measuresOf(samples: Table, parameters: readonly string[]): string[] {
  return samples.columns.filter((column) => !ofTheRun.includes(column) && !parameters.includes(column));
}

/**
 * The rows of summary.csv: each measured value of each combination that at least one run of any combination has.
 */
export function summarizeRuns(samples: Table, parameters: readonly string[]): SummaryRow[] {
  const measures = measuresOf(samples, parameters).filter((measure) =>
    samples.rows.some((row) => typeof row[measure] === 'number'),
  );
  return combinationsOf(samples, parameters).flatMap(({ number, parameters: values, completed, failed }) =>
    measures.map((measure) => ({
      combination: number,
      parameters: values,
      measure,
      summary: summarize(numbersOf(completed, measure), failed.length),
    })),
  );
}

function numbersOf(rows: readonly Row[], column: string): number[] {
  return rows.map((row) => row[column]).filter((value) => typeof value === 'number');
}

/** summary.csv as a table: parameters, n, failed, median, p5, p95 and the 95 % interval of the median. */
export function summaryTable(rows: readonly SummaryRow[], parameters: readonly string[]): Table {
  const figures = ['n', 'failed', 'median', 'p5', 'p95', 'ci95_low', 'ci95_high'];
  return {
    columns: ['combination', ...parameters, 'measure', ...figures],
    rows: rows.map(({ combination, parameters: values, measure, summary: { interval, ...summary } }) => ({
      combination,
      ...values,
      measure,
      ...summary,
      ci95_low: interval?.low ?? null,
      ci95_high: interval?.high ?? null,
    })),
  };
}
