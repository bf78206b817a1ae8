import type { Command } from 'commander';
import type { Context, Progress } from '../controller/context.ts';
import { isLocked } from '../controller/lock.ts';
import { describeUnfinished, howToGoOn } from '../controller/migration/journal.ts';
import { errorJson, VnmError } from '../model/errors.ts';
import { openStore } from '../store/store.ts';
import { errorText } from './output.ts';

/** Options before the command's name. */
export interface GlobalOptions {
  readonly db: string;
  readonly json: boolean;
  readonly acceptNewHostKeys: boolean;
  readonly wait: boolean;
}

/** What a command prints: text for people, a value for `--json`; and how it exits. */
export interface Output {
  readonly text: string;
  readonly json: unknown;
  readonly exitCode?: number;
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** Runs a command's body, prints what it answers and sets the exit code. Ctrl-C aborts the context's signal. */
export function runCommand(command: Command, body: (context: Context) => Promise<Output>): Promise<void> {
  const { db, acceptNewHostKeys, wait } = globalOptions(command);
  return runPlain(command, async (signal) => {
    const store = openStore(db);
    try {
      const context = { store, acceptNewHostKeys, report: printProgress, signal, wait };
      if (!goingOn.includes(command.name())) tellOfInterrupted(context);
      return await body(context);
    } finally {
      store.close();
    }
  });
}

/** These say themselves what was interrupted. */
const goingOn = ['resume', 'rollback'];

/** Whatever the next command is, it says what was interrupted and how to go on. */
function tellOfInterrupted(context: Context): void {
  for (const migration of context.store.migrations.unfinished()) {
    if (isLocked(context, migration.slice, migration.vn)) continue;
    context.report({ kind: 'note', text: `${describeUnfinished(migration)}; ${howToGoOn(migration.slice)}` });
  }
}

/** The same for a command that needs no database. */
export async function runPlain(command: Command, body: (signal: AbortSignal) => Promise<Output>): Promise<void> {
  const options = globalOptions(command);
  const abort = new AbortController();
  const interrupt = () => abort.abort(new VnmError('interrupted', 'interrupted'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    print(options, await body(abort.signal));
  } catch (error) {
    printError(options, error);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

export function printProgress({ kind, text }: Progress): void {
  process.stderr.write(kind === 'phase' ? `- ${text}\n` : `  ${text}\n`);
}

function print({ json }: GlobalOptions, output: Output): void {
  process.stdout.write(json ? `${JSON.stringify(output.json, null, 2)}\n` : `${output.text}\n`);
  process.exitCode = output.exitCode ?? 0;
}

function printError({ json }: GlobalOptions, error: unknown): void {
  process.stderr.write(`${errorText(error)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
  process.exitCode = error instanceof VnmError ? error.exitCode : 1;
}
