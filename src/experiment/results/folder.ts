/** The result folder of an experiment: made once, opened again by `resume`, `plot`, `merge` and `compare`. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { messageOf, VnmError } from '../../model/errors.ts';
import { isoInstant } from '../../model/instant.ts';
import type { Experiment, Sources } from '../file/experiment.ts';
import { parseExperiment } from '../file/parse.ts';
import { type PlannedRun, type Shard, scheduleOf, shareOf } from '../schedule.ts';
import { formatCsv } from '../table.ts';
import { parameterColumns, parameterRow } from './columns.ts';
import { type ProgramVersion, programVersion } from './program.ts';

const files = {
  experiment: 'experiment.yaml',
  slice: 'slice.yaml',
  resolved: 'resolved.json',
  schedule: 'schedule.csv',
} as const;

const resolvedSchema = z.object({
  startedAt: z.string(),
  program: z.object({
    version: z.string(),
    commit: z.string().nullable(),
    modified: z.boolean(),
    changes: z.string().optional(),
  }),
  file: z.string(),
  sliceFile: z.string(),
  configs: z.record(z.string(), z.string()),
  images: z.record(z.string(), z.object({ image: z.string(), digest: z.string(), bytes: z.number() })).default({}),
  shard: z.object({ index: z.int(), count: z.int() }).nullable(),
});

/** A result folder, with the experiment as it was when it began. */
export interface ResultFolder {
  readonly path: string;
  readonly experiment: Experiment;
  readonly sources: Sources;
  /** When it began, ISO 8601 in UTC. */
  readonly startedAt: string;
  /** The program that began it. */
  readonly program: ProgramVersion;
  readonly shard: Shard | undefined;
  readonly schedule: readonly PlannedRun[];
  /** The runs of the schedule that belong into this folder. */
  readonly share: readonly PlannedRun[];
}

export interface NewFolder {
  readonly experiment: Experiment;
  readonly sources: Sources;
  readonly shard: Shard | undefined;
  /** The program that makes the runs; by default this one. */
  readonly program?: ProgramVersion;
  /** The folder with the results of all experiments. */
  readonly results: string;
  /** Appended to the name of the folder. */
  readonly suffix?: string;
  /** Called with the folder under a temporary name, to fill it. */
  readonly fill?: (path: string) => void;
}

/**
 * Makes the folder `NAME/START` with everything that is known before the first run. It appears complete or not at all.
 * If another one began in the same second, START is a later one.
 */
export async function createFolder(wanted: NewFolder, now = Date.now): Promise<ResultFolder> {
  const { experiment, sources, shard, results, suffix = '', fill, program = programVersion() } = wanted;
  const startedAt = isoInstant(now());
  const schedule = scheduleOf(experiment);
  const parent = join(results, experiment.name);
  let temporary: string | undefined;
  try {
    mkdirSync(parent, { recursive: true });
    temporary = join(parent, `.new-${randomUUID()}`);
    mkdirSync(join(temporary, 'runs'), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(temporary!, name), text);
    write(files.experiment, sources.text);
    write(files.slice, sources.sliceText);
    write(files.resolved, `${JSON.stringify(resolvedOf(wanted, program, startedAt), null, 2)}\n`);
    write(files.schedule, scheduleText(schedule, experiment));
    fill?.(temporary);
    const share = shardName(shard);
    const path = await placeAs(temporary, () => join(parent, `${basicInstant(now())}${share}${suffix}`));
    return { path, experiment, sources, startedAt, program, shard, schedule, share: shareOf(schedule, shard) };
  } catch (cause) {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    throw new VnmError('failed', `cannot make a result folder in ${parent}: ${messageOf(cause)}`, {
      hint: 'choose a folder that you may write to with --results',
      cause,
    });
  }
}

/** Renames a folder to the first name that is free. */
async function placeAs(temporary: string, name: () => string): Promise<string> {
  for (;;) {
    const path = name();
    try {
      renameSync(temporary, path);
      return path;
    } catch (error) {
      // An empty folder of that name would be replaced, but result folders are never empty.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      await sleep(250);
    }
  }
}

/** Like 20261130T190229Z. */
function basicInstant(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

function shardName(shard: Shard | undefined): string {
  return shard === undefined ? '' : `-${shard.index}of${shard.count}`;
}

function resolvedOf({ experiment, sources, shard }: NewFolder, program: ProgramVersion, startedAt: string) {
  const { slice, combinations, latencies: _, ...rest } = experiment;
  return {
    startedAt,
    ...rest,
    slice: slice.name,
    runs: combinations.length * experiment.repetitions,
    combinations: combinations.map(({ number, parameters }) => ({ number, parameters })),
    shard: shard ?? null,
    random: 'xoshiro128** seeded by SplitMix32; Fisher-Yates within each repetition',
    program,
    file: sources.file,
    sliceFile: sources.sliceFile,
    configs: sources.configs,
    images: sources.images,
  };
}

function scheduleText(schedule: readonly PlannedRun[], experiment: Experiment): string {
  const rows = schedule.map((planned) => ({
    run: planned.run,
    combination: planned.combination.number,
    repetition: planned.repetition,
    ...parameterRow(planned.combination),
  }));
  return formatCsv({ columns: ['run', 'combination', 'repetition', ...parameterColumns(experiment)], rows });
}

/** Opens a result folder. Throws VnmError `not-found` or `invalid-input` if it is none. */
export function openFolder(path: string): ResultFolder {
  const read = (name: string) => readFileSync(join(path, name), 'utf8');
  let resolved: z.output<typeof resolvedSchema>;
  let texts: { text: string; sliceText: string };
  try {
    resolved = resolvedSchema.parse(JSON.parse(read(files.resolved)));
    texts = { text: read(files.experiment), sliceText: read(files.slice) };
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing ? '' : `: ${messageOf(cause).split('\n')[0]}`;
    throw new VnmError(isMissing ? 'not-found' : 'invalid-input', `${path} is no result folder${reason}`, {
      hint: 'give a folder like results/NAME/20261130T190229Z, which experiment run has made',
      cause,
    });
  }
  const { startedAt, program, configs, images, file, sliceFile } = resolved;
  const shard = resolved.shard ?? undefined;
  const around = {
    slice: () => ({ text: texts.sliceText, file: join(path, files.slice) }),
    config: (_file: string, name: string) => configs[name] ?? missingFile(name),
    image: (_file: string, name: string) => images[name] ?? missingFile(name),
  };
  const { experiment } = parseExperiment(texts.text, join(path, files.experiment), around);
  const schedule = scheduleOf(experiment);
  const sources = { file, sliceFile, ...texts, configs, images };
  return { path, experiment, sources, startedAt, program, shard, schedule, share: shareOf(schedule, shard) };
}

function missingFile(name: string): never {
  throw new Error(`the result folder has no copy of ${basename(name)}`);
}
