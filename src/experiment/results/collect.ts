/** Everything that is made from the folders of the runs: tables, statistics, figures, and the page that shows them. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { drawFigure, resultsPage } from '../figures/index.ts';
import { type SummaryRow, summarizeRuns, summaryTable } from '../statistics/runs.ts';
import { formatCsv } from '../table.ts';
import { parameterColumns } from './columns.ts';
import { sessionsOf } from './environment.ts';
import type { ResultFolder } from './folder.ts';
import { replaceFile } from './replace-file.ts';
import { runFolders, type Sample } from './runs.ts';
import { resultTables, samplesTable } from './tables.ts';

export interface Collected {
  /** In the order of the runs. */
  readonly samples: readonly Sample[];
  readonly summary: readonly SummaryRow[];
  /** Names of the figures without a single value. */
  readonly emptyFigures: readonly string[];
}

/** Writes `samples.csv`, `summary.csv` and `summary.json`, the figures and `index.html`, over earlier ones. */
export async function collect(folder: ResultFolder): Promise<Collected> {
  const { path, experiment, startedAt } = folder;
  const samples = runFolders(path).list();
  const table = samplesTable(folder, samples);
  const parameters = parameterColumns(experiment);
  const summary = summarizeRuns(table, parameters);
  const write = (name: string, content: string | Buffer) => replaceFile(join(path, name), content);
  write('samples.csv', formatCsv(table));
  const overview = summaryTable(summary, parameters);
  write('summary.csv', formatCsv(overview));
  write('summary.json', `${JSON.stringify(overview.rows, null, 2)}\n`);

  const tables = resultTables(folder, samples);
  const figures = [];
  for (const definition of experiment.figures) figures.push(await drawFigure(tables, definition));
  if (figures.length > 0) mkdirSync(join(path, 'figures'), { recursive: true });
  for (const figure of figures) {
    const name = join('figures', figure.definition.name);
    if (figure.svg === undefined) {
      for (const kind of ['svg', 'png', 'csv']) rmSync(join(path, `${name}.${kind}`), { force: true });
      continue;
    }
    write(`${name}.svg`, figure.svg);
    write(`${name}.png`, figure.png);
    write(`${name}.csv`, figure.csv);
  }
  const { name, description } = experiment;
  const page = resultsPage({
    name,
    ...(description === undefined ? {} : { description }),
    startedAt,
    samples: table,
    parameters,
    figures,
    environment: sessionsOf(path),
  });
  write('index.html', page);
  const emptyFigures = figures.flatMap(({ svg, definition }) => (svg === undefined ? [definition.name] : []));
  return { samples, summary, emptyFigures };
}
