/** Runs that are made up: their values depend on the seed and the run alone. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomOf } from '../../../src/experiment/random.ts';
import { collect } from '../../../src/experiment/results/collect.ts';
import type { ResultFolder } from '../../../src/experiment/results/folder.ts';
import { carryOutRuns, type Execute, type Found } from '../../../src/experiment/run/runner.ts';
import { parseCsv } from '../../../src/experiment/table.ts';

/** Loses about 100 packets. */
export function madeUp(run: number): Found {
  const lost = 95 + 10 * randomOf(run, 'run')();
  return { outcome: 'completed', startedAt: '2026-11-30T19:02:29.000Z', error: null, values: { lost_packets: lost } };
}

/** Executes made-up runs, and notes them in the folder. `found`: what a run finds, if not the usual. */
export function fakeExecute(folder: ResultFolder, found: (run: number) => Found = madeUp): Execute {
  return async ({ run }, directory) => {
    appendFileSync(join(folder.path, 'begun'), `${run}\n`);
    writeFileSync(join(directory, 'raw', 'output'), `of run ${run}\n`);
    return found(run);
  };
}

/** The runs that were begun, in that order, also those that were not completed. */
export function begunIn(folder: ResultFolder): number[] {
  return readFileSync(join(folder.path, 'begun'), 'utf8').trim().split('\n').map(Number);
}

/** Carries out all runs of a folder that are missing, and returns what was reported. */
export async function carryOutAll(folder: ResultFolder, execute: Execute = fakeExecute(folder)): Promise<string[]> {
  const reported: string[] = [];
  const report = ({ text }: { text: string }) => void reported.push(text);
  await carryOutRuns(folder, execute, { report, signal: new AbortController().signal });
  await collect(folder);
  return reported;
}

export function rowsOf(folder: ResultFolder, name: string) {
  return parseCsv(readFileSync(join(folder.path, name), 'utf8'), name).rows;
}
