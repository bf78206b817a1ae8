/** The command `experiment merge`: the results of all shards in one folder. */
import { cpSync } from 'node:fs';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../model/errors.ts';
import { collect } from './results/collect.ts';
import { sessionsOf, writeSessions } from './results/environment.ts';
import { createFolder, openFolder, type ResultFolder } from './results/folder.ts';
import { lockFolder } from './results/lock.ts';
import { describeProgram, isSameProgram } from './results/program.ts';
import { runFolders } from './results/runs.ts';
import type { ExperimentResult } from './run-experiment.ts';

/** As many as anybody reads. */
const maxNamed = 20;

/**
 * Copies the runs of several result folders of one experiment into a new folder below `results`. Throws VnmError
 * `invalid-input` if they are of different experiments or programs, or if a run is missing or in two of them.
 */
export async function mergeFolders(paths: readonly string[], results: string): Promise<ExperimentResult> {
  const unlocks: (() => void)[] = [];
  try {
    const folders = paths.map(openFolder);
    for (const { path } of folders) unlocks.push(lockFolder(path));
    const [first] = folders;
    for (const other of folders) requireSame(first!, other);
    const places = placesOf(folders);
    requireWhole(first!, folders, places);
    const { experiment, sources, program } = first!;
    const folder = await createFolder({
      experiment,
      sources,
      shard: undefined,
      program,
      results,
      suffix: '-merged',
      fill: (path) => {
        const runs = runFolders(path);
        for (const [run, [from]] of places)
          cpSync(runFolders(from!.path).path(run), runs.path(run), { recursive: true });
        writeSessions(
          path,
          folders.flatMap((one) => sessionsOf(one.path)),
        );
      },
    });
    return { folder, ...(await collect(folder)) };
  } finally {
    for (const unlock of unlocks) unlock();
  }
}

function requireSame(one: ResultFolder, other: ResultFolder): void {
  const differences = [
    ...(one.sources.text === other.sources.text ? [] : ['the experiment file']),
    ...(one.sources.sliceText === other.sources.sliceText ? [] : ['the slice file']),
    ...(isDeepStrictEqual(one.sources.configs, other.sources.configs) ? [] : ['the configurations of routing daemons']),
    ...(isDeepStrictEqual(digests(one), digests(other)) ? [] : ['the images of virtual machines']),
    ...(one.experiment.seed === other.experiment.seed ? [] : ['the seed']),
    ...(isSameProgram(one.program, other.program)
      ? []
      : [`the program (${describeProgram(one.program)}; ${describeProgram(other.program)})`]),
  ];
  if (differences.length === 0) return;
  throw new VnmError('invalid-input', `${one.path} and ${other.path} differ in ${differences.join(', ')}`, {
    hint: 'merge the shards of one experiment, made by one version of the program',
  });
}

/** The images by their names; their files may be at other places on another machine. */
function digests({ sources }: ResultFolder): [string, string][] {
  return Object.entries(sources.images).map(([name, { digest }]) => [name, digest]);
}

/** The folders that have each run. */
function placesOf(folders: readonly ResultFolder[]): Map<number, ResultFolder[]> {
  const all = folders.flatMap((folder) =>
    runFolders(folder.path)
      .list()
      .map(({ run }) => ({ run, folder })),
  );
  const byRun = Map.groupBy(all, ({ run }) => run);
  return new Map([...byRun].map(([run, found]) => [run, found.map(({ folder }) => folder)]));
}

function requireWhole(
  { schedule }: ResultFolder,
  folders: readonly ResultFolder[],
  places: ReadonlyMap<number, readonly ResultFolder[]>,
): void {
  const twice = [...places].filter(([, found]) => found.length > 1).map(([run]) => run);
  if (twice.length > 0) {
    const where = [...new Set(places.get(twice[0]!)!.map(({ path }) => path))].join(' and ');
    throw new VnmError('invalid-input', `${named(twice)} in more than one folder, like ${where}`, {
      hint: 'name each folder once, and only folders of different shards',
    });
  }
  const missing = schedule.filter(({ run }) => !places.has(run)).map(({ run }) => run);
  if (missing.length === 0) return;
  const unfinished = folders.filter(({ share }) => share.some(({ run }) => !places.has(run)));
  const hint =
    unfinished.length > 0
      ? `run pl-vnm experiment resume ${unfinished[0]!.path} first`
      : `the folders are ${folders.map(({ path }) => basename(path)).join(', ')}: add those of the other shards`;
  throw new VnmError('invalid-input', `${named(missing)} missing`, { hint });
}

function named(runs: readonly number[]): string {
  const numbers = runs.toSorted((a, b) => a - b);
  const shown = numbers.slice(0, maxNamed).join(', ');
  const more = numbers.length > maxNamed ? ` and ${numbers.length - maxNamed} more` : '';
  return `${numbers.length === 1 ? 'run' : 'runs'} ${shown}${more} ${numbers.length === 1 ? 'is' : 'are'}`;
}
