import { type Command, InvalidArgumentError, Option } from 'commander';
import { mergeFolders } from '../../experiment/merge.ts';
import { compareFolders, plotFolder } from '../../experiment/plot.ts';
import { type ExperimentResult, resumeExperiment, runExperiment } from '../../experiment/run-experiment.ts';
import type { Shard } from '../../experiment/schedule.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { comparisonText } from '../comparison-text.ts';
import { experimentText } from '../experiment-text.ts';
import { globalOptions, type Output, reportsOf, runPlain } from '../run.ts';

export function addExperiment(program: Command): void {
  const experiment = program
    .command('experiment')
    .description('repeat and vary migrations by a file: run, resume, merge, plot, compare');
  addRun(experiment);
  addResume(experiment);
  addMerge(experiment);
  addPlot(experiment);
  addCompare(experiment);
}

interface Places {
  readonly results: string;
  readonly shard?: Shard;
}

function addRun(experiment: Command): void {
  experiment
    .command('run')
    .description('carry out the runs of an experiment file; the results are in a new folder')
    .argument('<file.yaml>', 'an experiment file')
    .addOption(resultsOption())
    .addOption(new Option('--shard <i/n>', 'only the share of machine i of n machines, like 2/8').argParser(parseShard))
    .action((file: string, { results, shard }: Places, command: Command) =>
      runPlain(command, async (signal) =>
        ofRuns(await runExperiment(file, results, shard, optionsOf(command, signal))),
      ),
    );
}

function addResume(experiment: Command): void {
  experiment
    .command('resume')
    .description('carry out what is missing of an experiment that was interrupted')
    .argument('<folder>', 'a result folder, like results/NAME/20261130T190229Z')
    .action((folder: string, _options, command: Command) =>
      runPlain(command, async (signal) => ofRuns(await resumeExperiment(folder, optionsOf(command, signal)))),
    );
}

function addMerge(experiment: Command): void {
  experiment
    .command('merge')
    .description('copy the runs of all shards of an experiment into one new folder')
    .argument('<folder...>', 'the result folders of all shards')
    .addOption(resultsOption())
    .action((folders: string[], { results }: Places, command: Command) =>
      runPlain(command, async () => outputOf(await mergeFolders(folders, results))),
    );
}

function addPlot(experiment: Command): void {
  experiment
    .command('plot')
    .description('write tables, figures and the page of a result folder again, from its raw data')
    .argument('<folder>', 'a result folder')
    .action((folder: string, _options, command: Command) =>
      runPlain(command, async () => outputOf(await plotFolder(folder))),
    );
}

function addCompare(experiment: Command): void {
  experiment
    .command('compare')
    .description('compare the medians of two results of the same experiment, with their intervals')
    .argument('<a>', 'a result folder')
    .argument('<b>', 'the result folder to compare it with')
    .action((a: string, b: string, _options, command: Command) =>
      runPlain(command, async () => {
        const comparison = compareFolders(a, b);
        return { text: comparisonText(comparison), json: comparison };
      }),
    );
}

function resultsOption(): Option {
  return new Option('--results <folder>', 'where the result folders are').default('results');
}

function optionsOf(command: Command, signal: AbortSignal) {
  return { acceptNewHostKeys: globalOptions(command).acceptNewHostKeys, ...reportsOf(command), signal };
}

function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (shard.index >= 1 && shard.index <= shard.count) return shard;
  throw new InvalidArgumentError('Write it like 2/8: from 1/8 to 8/8.');
}

function outputOf(result: ExperimentResult): Output {
  const { folder, samples } = result;
  const count = (outcome: string) => samples.filter((sample) => sample.outcome === outcome).length;
  const runs = {
    planned: folder.share.length,
    completed: count('completed'),
    failed: count('failed') + count('rolled-back'),
    skipped: count('skipped'),
  };
  const json = {
    experiment: folder.experiment.name,
    folder: folder.path,
    runs,
    summary: result.summary.map(({ summary: { interval, ...summary }, ...row }) => ({
      ...row,
      ...summary,
      ci95Low: interval?.low ?? null,
      ci95High: interval?.high ?? null,
    })),
  };
  return { text: experimentText(result), json };
}

/** Runs that fail are results, too, unless there are no others. */
function ofRuns(result: ExperimentResult): Output {
  const { samples } = result;
  const isDone = samples.length === 0 || samples.some(({ outcome }) => outcome === 'completed');
  return { ...outputOf(result), exitCode: isDone ? exitCodes.done : exitCodes.failed };
}
