import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mergeFolders } from '../../src/experiment/merge.ts';
import { openFolder, type ResultFolder } from '../../src/experiment/results/folder.ts';
import { changed, goodExperiment, newFolder, temporaryResults } from './support/files.ts';
import { carryOutAll, rowsOf } from './support/runs.ts';

/** Three shards, with all runs of each. */
async function shards(results: string, text = goodExperiment): Promise<ResultFolder[]> {
  const folders = await Promise.all([1, 2, 3].map((index) => newFolder(results, text, { index, count: 3 })));
  for (const folder of folders) await carryOutAll(folder);
  return folders;
}

const pathsOf = (folders: readonly ResultFolder[]) => folders.map(({ path }) => path);

/** As if another version of the program had begun the folder. */
function useVersion(path: string, version: string): void {
  const file = join(path, 'resolved.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"version": "[^"]*"/, `"version": "${version}"`));
}

describe('mergeFolders', () => {
  it('has the runs and tables that one machine would have made', async () => {
    const results = temporaryResults();
    const folders = await shards(results);
    const { folder } = await mergeFolders(pathsOf(folders).toReversed(), results);
    expect(basename(folder.path)).toMatch(/Z-merged$/);
    const whole = await newFolder(temporaryResults());
    await carryOutAll(whole);
    for (const name of ['samples.csv', 'summary.csv', 'schedule.csv', 'runs/0008/raw/output']) {
      expect(readFileSync(join(folder.path, name), 'utf8'), name).toBe(readFileSync(join(whole.path, name), 'utf8'));
    }
    expect(rowsOf(folder, 'samples.csv')).toHaveLength(12);
  });

  it('names missing runs, and the shard that has not carried them out', async () => {
    const results = temporaryResults();
    const folders = await shards(results);
    rmSync(join(folders[1]!.path, 'runs/0005'), { recursive: true });
    await expect(mergeFolders(pathsOf(folders), results)).rejects.toMatchObject({
      message: 'run 5 is missing',
      hint: `run pl-vnm experiment resume ${folders[1]!.path} first`,
    });
  });

  it('names the runs of a shard that was not given', async () => {
    const results = temporaryResults();
    const [one, , other] = await shards(results);
    await expect(mergeFolders([one!.path, other!.path], results)).rejects.toMatchObject({
      message: 'runs 2, 5, 8, 11 are missing',
      hint: expect.stringContaining('add those of the other shards'),
    });
  });

  it('names runs that two folders have', async () => {
    const results = temporaryResults();
    const folders = await shards(results);
    const copy = join(results, 'copy');
    cpSync(folders[0]!.path, copy, { recursive: true });
    await expect(mergeFolders([...pathsOf(folders), copy], results)).rejects.toThrow(
      `runs 1, 4, 7, 10 are in more than one folder, like ${folders[0]!.path} and ${copy}`,
    );
  });

  it.each([
    ['another seed', changed('repetitions: 3', 'repetitions: 3\nseed: 2'), 'the experiment file, the seed'],
    ['another file', changed('[0, 200]', '[0, 100]'), 'the experiment file'],
    [
      'another slice',
      changed('two-node', 'unequal').replace('D: [0, 200]', 'urpf: [feasible]').replace('{ urpf: strict }', '{}'),
      'the slice file',
    ],
  ])('refuses results with %s', async (_, text, expected) => {
    const results = temporaryResults();
    const [one] = await shards(results);
    const other = await newFolder(results, text, { index: 2, count: 3 });
    await expect(mergeFolders([one!.path, other.path], results)).rejects.toThrow(expected);
  });

  it('names the program that made the runs, not the one that merges', async () => {
    const results = temporaryResults();
    const folders = await shards(results);
    for (const { path } of folders) useVersion(path, '0.0.9');
    const { folder } = await mergeFolders(pathsOf(folders), results);
    expect(folder.program.version).toBe('0.0.9');
    expect(openFolder(folder.path).program).toEqual(openFolder(folders[0]!.path).program);
  });

  it('refuses results of another version of the program', async () => {
    const results = temporaryResults();
    const [one, other] = await shards(results);
    useVersion(other!.path, '0.0.9');
    await expect(mergeFolders([one!.path, other!.path], results)).rejects.toThrow('differ in the program (version');
  });
});
