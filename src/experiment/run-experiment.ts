/** The commands `experiment run` and `experiment resume`. */
import { rmSync } from 'node:fs';
import type { Progress } from '../controller/base/context.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { requireAt } from './control/at.ts';
import { requireRoot } from './control/commands.ts';
import { parseExperiment, readExperimentText } from './file/parse.ts';
import { type Collected, collect } from './results/collect.ts';
import { describeSession, sessionsOf, writeSessions } from './results/environment.ts';
import { createFolder, openFolder, type ResultFolder } from './results/folder.ts';
import { lockFolder } from './results/lock.ts';
import { describeProgram, isSameProgram, programVersion } from './results/program.ts';
import { runFolders } from './results/runs.ts';
import { executeOn } from './run/execute.ts';
import { requireIperf } from './run/iperf3.ts';
import { hasState, type Nodes, openNodes } from './run/nodes.ts';
import { carryOutRuns, interrupted } from './run/runner.ts';
import type { PlannedRun, Shard } from './schedule.ts';

export interface RunOptions {
  readonly acceptNewHostKeys: boolean;
  readonly report: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

export interface ExperimentResult extends Collected {
  readonly folder: ResultFolder;
}

/**
 * Carries out an experiment in a new result folder below `results`. Throws VnmError `invalid-input` with all faults of
 * the files, `interrupted` with the command that goes on, and what makes further runs impossible.
 */
export async function runExperiment(
  file: string,
  results: string,
  shard: Shard | undefined,
  options: RunOptions,
): Promise<ExperimentResult> {
  const { experiment, sources } = parseExperiment(readExperimentText(file), file);
  const folder = await createFolder({ experiment, sources, shard, results });
  options.report({ kind: 'phase', text: `results: ${folder.path}` });
  return carryOut(folder, options).catch((error: unknown) => {
    const isEmpty = runFolders(folder.path).list().length === 0 && !hasState(folder.path);
    if (isEmpty) rmSync(folder.path, { recursive: true });
    throw isEmpty && options.signal.aborted
      ? new VnmError('interrupted', 'the experiment was interrupted before its first run was complete; nothing is left')
      : error;
  });
}

/** Carries out what is missing of an experiment. Throws as `runExperiment`, and `conflict` for another program. */
export async function resumeExperiment(path: string, options: RunOptions): Promise<ExperimentResult> {
  const folder = openFolder(path);
  const own = programVersion();
  if (!isSameProgram(folder.program, own)) {
    throw new VnmError(
      'conflict',
      `${path} was begun by ${describeProgram(folder.program)}; this is ${describeProgram(own)}`,
      { hint: 'resume it with the same program, or begin again with pl-vnm experiment run' },
    );
  }
  return carryOut(folder, options);
}

async function carryOut(folder: ResultFolder, options: RunOptions): Promise<ExperimentResult> {
  const unlock = lockFolder(folder.path);
  try {
    const [first] = missingRuns(folder);
    if (first !== undefined || hasState(folder.path)) await onNodes(folder, first, options);
    return { folder, ...(await collect(folder)) };
  } catch (error) {
    await collect(folder).catch((fault: unknown) => {
      options.report({ kind: 'note', text: `the tables could not be written: ${messageOf(fault)}` });
    });
    if (options.signal.aborted) throw interrupted(folder.path);
    const { length } = runFolders(folder.path).list();
    const text = `${length} complete runs are kept: run pl-vnm experiment resume ${folder.path} to go on`;
    if (length > 0) options.report({ kind: 'note', text });
    throw error;
  } finally {
    unlock();
  }
}

function missingRuns({ path, share }: ResultFolder): PlannedRun[] {
  const done = new Set(
    runFolders(path)
      .open()
      .map(({ run }) => run),
  );
  return share.filter(({ run }) => !done.has(run));
}

/** `first`: the first run that is missing; undefined if an earlier process only has not cleaned up. */
async function onNodes(folder: ResultFolder, first: PlannedRun | undefined, options: RunOptions): Promise<void> {
  const { path, experiment } = folder;
  const nodes = await openNodes(path, experiment, options);
  try {
    const { dataplane, reason } = nodes.testbed ?? { dataplane: 'none', reason: 'all nodes have a host' };
    options.report({ kind: 'phase', text: `testbed: ${dataplane} (${reason})` });
    if (first !== undefined) {
      await describe(folder, first, nodes);
      await carryOutRuns(folder, executeOn(nodes, experiment), options);
    }
  } catch (error) {
    await cleanUp(nodes, path, options).catch((fault: unknown) => {
      options.report({ kind: 'note', text: messageOf(fault) });
    });
    throw error;
  }
  await cleanUp(nodes, path, options);
}

async function cleanUp(nodes: Nodes, path: string, { report }: RunOptions): Promise<void> {
  report({ kind: 'phase', text: 'clean up' });
  try {
    await nodes.close();
  } catch (cause) {
    throw new VnmError('failed', `the nodes could not be cleaned: ${messageOf(cause)}`, {
      hint: `run pl-vnm experiment resume ${path} to try again`,
      cause,
    });
  }
}

/** Records what makes the runs, and refuses what they could not do. */
async function describe({ path, experiment }: ResultFolder, first: PlannedRun, nodes: Nodes): Promise<void> {
  const startedAt = Date.now();
  const installed = await nodes.prepare(first.combination.parameters, () => {});
  if (experiment.traffic.by === 'iperf3') await requireIperf(installed);
  const controls = new Set(experiment.combinations.map(({ parameters }) => parameters.control));
  if (controls.has('fresh-ssh') || controls.has('at')) await requireRoot(installed);
  if (controls.has('at')) await requireAt(installed);
  const session = describeSession(startedAt, nodes.testbed ?? null, await nodes.examine());
  writeSessions(path, [...sessionsOf(path), session]);
}
