/** The tables of a result folder, read from the folders of its runs. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResultTables } from '../figures/index.ts';
import { measuresIn } from '../run/measures.ts';
import { phaseTable } from '../run/phase-table.ts';
import { parseCsv, type Row, type Table } from '../table.ts';
import { columnsOf, parameterRow, samplesColumns } from './columns.ts';
import type { ResultFolder } from './folder.ts';
import { runFolders, type Sample } from './runs.ts';

/** `samples.csv`: a row per run, with a column for each measured value that some run has. */
export function samplesTable({ experiment, schedule }: ResultFolder, samples: readonly Sample[]): Table {
  const columns = samplesColumns(experiment, measuresIn(samples.map(({ values }) => values)));
  const rows = samples.map(({ startedAt, values, run, combination, repetition, outcome, error }): Row => {
    const planned = schedule[run - 1]!;
    return {
      run,
      combination,
      repetition,
      started_at: startedAt,
      ...parameterRow(planned.combination),
      outcome,
      error,
      ...values,
    };
  });
  return { columns, rows };
}

/** All tables that figures are drawn from. Throws VnmError `invalid-input` for a table that was changed by hand. */
export function resultTables(folder: ResultFolder, samples: readonly Sample[]): ResultTables {
  const runs = runFolders(folder.path);
  const { samples: all, flows, redirections } = columnsOf(folder.experiment);
  const rowsIn = (name: string) =>
    samples.flatMap(({ run }) => {
      const path = join(runs.path(run), name);
      return existsSync(path) ? parseCsv(readFileSync(path, 'utf8'), path).rows : [];
    });
  return {
    samples: { ...all, rows: samplesTable(folder, samples).rows },
    flows: { ...flows, rows: rowsIn('flows.csv') },
    redirections: { ...redirections, rows: rowsIn('redirections.csv') },
    phases: phaseTable(samples),
  };
}
