/** The tables of all runs, written from the folders of the runs. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measuresIn } from '../run/measures.ts';
import { type SummaryRow, summarizeRuns, summaryTable } from '../statistics/runs.ts';
import { formatCsv, type Row, type Table } from '../table.ts';
import { parameterColumns, parameterRow, type ResultFolder } from './folder.ts';
import { runFolders, type Sample } from './runs.ts';

export interface Collected {
  /** In the order of the runs. */
  readonly samples: readonly Sample[];
  readonly summary: readonly SummaryRow[];
}

/** Writes `samples.csv`, `summary.csv` and `summary.json`. */
export function collect(folder: ResultFolder): Collected {
  const samples = runFolders(folder.path).list();
  const table = samplesTable(folder, samples);
  const parameters = parameterColumns(folder.experiment);
  const summary = summarizeRuns(table, parameters);
  const write = (name: string, text: string) => {
    const path = join(folder.path, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  write('samples.csv', formatCsv(table));
  const overview = summaryTable(summary, parameters);
  write('summary.csv', formatCsv(overview));
  write('summary.json', `${JSON.stringify(overview.rows, null, 2)}\n`);
  return { samples, summary };
}

function samplesTable({ experiment, schedule }: ResultFolder, samples: readonly Sample[]): Table {
  const measures = measuresIn(samples.map(({ values }) => values));
  const columns = [
    ...['run', 'combination', 'repetition', 'started_at'],
    ...parameterColumns(experiment),
    ...['outcome', 'error'],
    ...measures,
  ];
  const rows = samples.map(({ startedAt, values, run, combination, repetition, outcome, error }): Row => {
    const planned = schedule[run - 1]!;
    return { run, combination, repetition, started_at: startedAt, ...parameterRow(planned), outcome, error, ...values };
  });
  return { columns, rows };
}
