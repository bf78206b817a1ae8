/** The commands `experiment plot` and `experiment compare`. */
import { collect } from './results/collect.ts';
import { parameterColumns } from './results/columns.ts';
import { openFolder, type ResultFolder } from './results/folder.ts';
import { lockFolder } from './results/lock.ts';
import { runFolders } from './results/runs.ts';
import { samplesTable } from './results/tables.ts';
import type { ExperimentResult } from './run-experiment.ts';
import { type Comparison, compareResults, type Results } from './statistics/compare-results.ts';

/** Writes the tables, figures and the page of a result folder again, from the raw data of its runs. */
export async function plotFolder(path: string): Promise<ExperimentResult> {
  const folder = openFolder(path);
  const unlock = lockFolder(folder.path);
  try {
    return { folder, ...(await collect(folder)) };
  } finally {
    unlock();
  }
}

/** Compares the medians of two result folders. Throws VnmError `invalid-input` if they do not measure the same. */
export function compareFolders(a: string, b: string): Comparison {
  return compareResults(resultsOf(openFolder(a)), resultsOf(openFolder(b)));
}

function resultsOf(folder: ResultFolder): Results {
  const { path, experiment } = folder;
  const { slice, vn, from, to, traffic } = experiment;
  return {
    name: path,
    samples: samplesTable(folder, runFolders(path).list()),
    parameters: parameterColumns(experiment),
    fixed: {
      slice: slice.name,
      vn,
      from,
      to,
      traffic: traffic.by,
      trafficSeconds: traffic.by === 'iperf3' ? traffic.seconds : null,
    },
  };
}
