/** Experiment files for tests, and result folders of experiments whose runs are made up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type CheckedExperiment,
  checkExperiment,
  parseExperiment,
  type Surroundings,
} from '../../../src/experiment/file/parse.ts';
import { createFolder, type ResultFolder } from '../../../src/experiment/results/folder.ts';
import type { Shard } from '../../../src/experiment/schedule.ts';
import { formatFault, readSliceText } from '../../../src/slicefile/index.ts';
import { gallery } from '../../support/slices.ts';

/** An experiment file without faults: four combinations, three times each. */
export const goodExperiment = `experiment: good
slice: two-node.yaml
repetitions: 3
fixed: { urpf: strict }
vary:
  control: [remote, gateway]
  D: [0, 200]
`;

/** An image for slice files of tests, which none of them boots. */
export const noImage = () => ({ image: '/router.tar', digest: '0'.repeat(64), bytes: 1 });

/** The slice files of the gallery. */
const around = {
  slice: (name: string) => ({ text: readSliceText(gallery(name.replace('.yaml', ''))), file: name }),
  config: () => '',
  image: noImage,
};

export function check(text: string, files: Surroundings = around): CheckedExperiment {
  return checkExperiment(text, 'good.yaml', files);
}

/** Replaces `from`, which must occur, by `to` in the good file. */
export function changed(from: string, to: string): string {
  if (!goodExperiment.includes(from)) throw new Error(`'${from}' is not in the good file`);
  return goodExperiment.replace(from, () => to);
}

/** All faults of a text as `good.yaml:line:column: message (hint)`. */
export function faultsOf(text: string): string[] {
  const checked = check(text);
  return 'faults' in checked ? checked.faults.map(formatFault) : [];
}

export function parsed(text = goodExperiment) {
  return parseExperiment(text, 'good.yaml', around);
}

/** A folder for results, which goes with the test. */
export function temporaryResults(): string {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-results-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Makes the result folder of an experiment. */
export function newFolder(results: string, text = goodExperiment, shard?: Shard): Promise<ResultFolder> {
  return createFolder({ ...parsed(text), shard, results });
}
