/**
 * The folders of the runs, `runs/0007/`. A run counts once its folder has that name: it is written under another name
 * and renamed when it is complete.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const outcomes = ['completed', 'rolled-back', 'failed', 'skipped'] as const;

const sampleSchema = z.strictObject({
  run: z.int(),
  combination: z.int(),
  repetition: z.int(),
  /** ISO 8601 in UTC; null for a run that was skipped, or failed before the migration began. */
  startedAt: z.string().nullable(),
  /** `skipped`: the stop rule had enough runs of the combination. */
  outcome: z.enum(outcomes),
  /** Why it did not complete; null if it did. */
  error: z.string().nullable(),
  /** By measured value. */
  values: z.record(z.string(), z.number()),
});

/** A row of `samples.csv`, except the parameters. */
export type Sample = Readonly<z.output<typeof sampleSchema>>;

/** How long names of runs are; more runs have longer names. */
const digits = 4;
const namePattern = /^\d{4,}$/;
const partial = '.partial';

function nameOf(run: number): string {
  return String(run).padStart(digits, '0');
}

/** The runs of a result folder. */
export interface RunFolders {
  /** Removes what was half-done, and returns the complete runs, in their order. */
  open(): Sample[];
  /** The complete runs, in their order. */
  list(): Sample[];
  /** Makes the folder of a run that begins. */
  begin(run: number): string;
  /** Completes it. */
  complete(sample: Sample): void;
  /** Removes it. */
  discard(run: number): void;
  /** The folder of a complete run. */
  path(run: number): string;
}

export function runFolders(folder: string): RunFolders {
  const root = join(folder, 'runs');
  const names = () => readdirSync(root).toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const path = (run: number) => join(root, nameOf(run));
  const temporary = (run: number) => `${path(run)}${partial}`;
  const list = () =>
    names()
      .filter((name) => namePattern.test(name))
      .flatMap((name) => sampleIn(join(root, name)) ?? []);
  return {
    list,
    open() {
      for (const name of names()) {
        const isHalfDone = namePattern.test(name) ? sampleIn(join(root, name)) === undefined : name.endsWith(partial);
        if (isHalfDone) rmSync(join(root, name), { recursive: true });
      }
      return list();
    },
    begin(run) {
      mkdirSync(join(temporary(run), 'raw'), { recursive: true });
      return temporary(run);
    },
    complete(sample) {
      writeFileSync(join(temporary(sample.run), sampleFile), `${JSON.stringify(sample, null, 2)}\n`);
      renameSync(temporary(sample.run), path(sample.run));
    },
    discard: (run) => rmSync(temporary(run), { recursive: true, force: true }),
    path,
  };
}

const sampleFile = 'sample.json';

/** Undefined if the file is missing or cut off, as after a machine lost its power. */
function sampleIn(directory: string): Sample | undefined {
  try {
    return sampleSchema.parse(JSON.parse(readFileSync(join(directory, sampleFile), 'utf8')));
  } catch (error) {
    const isCutOff = error instanceof SyntaxError || error instanceof z.ZodError;
    if (isCutOff || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
