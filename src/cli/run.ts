import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Context } from '../controller/base/context.ts';
import { isLocked } from '../controller/base/lock.ts';
import { describeUnfinished, recoveryHint } from '../controller/base/unfinished.ts';
import { errorJson, messageOf, VnmError } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { openStore, type Store } from '../store/store.ts';
import { onInterrupt } from './interrupt.ts';
import { errorText } from './output.ts';
import { progressLines } from './progress-lines.ts';
import type { GlobalOptions } from './settings/settings.ts';
import { useColours } from './style.ts';

/** What a command prints (text for people, a value for `--json`), and its exit code. */
export interface Output {
  readonly text: string;
  readonly json: unknown;
  readonly exitCode?: number;
}

/** The output of a command that has already printed everything. */
export const alreadyPrinted: Output = { text: '', json: undefined };

/** Whether a command failed because the reader of its output had enough, as `head` does. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof VnmError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/**
 * Runs a command's body, prints its output and sets the exit code. An interruption (`onInterrupt`) aborts the context's
 * signal. A read-only command does not create a missing database.
 */
export function runCommand(command: Command, body: (context: Context) => Promise<Output>): Promise<void> {
  const { db, acceptNewHostKeys, wait } = globalOptions(command);
  return runPlain(command, async (signal) => {
    const isPretended = readOnly.includes(command.name()) && !existsSync(db);
    const store = isPretended ? { ...openStore(':memory:'), path: db } : openStoreOf(command);
    try {
      const context = { store, acceptNewHostKeys, ...reportsOf(command), signal, wait };
      if (!recovering.includes(command.name())) reportInterrupted(context);
      return await body(context);
    } finally {
      store.close();
    }
  });
}

/**
 * Opens a command's database, or creates it. In its default place reports a new one, and makes the folder for it, which
 * only the user may read. Throws VnmError.
 */
export function openStoreOf(command: Command): Store {
  const { db } = globalOptions(command);
  if (command.getOptionValueSourceWithGlobals('db') === 'default' && !existsSync(db)) {
    makeFolder(dirname(db));
    reportsOf(command).report({ kind: 'note', text: `new database: ${db}` });
  }
  return openStore(db);
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new VnmError('failed', `cannot create the folder ${path} for the database: ${messageOf(cause)}`, {
      hint: 'choose another database with --db',
      cause,
    });
  }
}

/** Commands that write nothing to the database; `list` and `forget` are those of agents and of jobs. */
const readOnly = [
  'history',
  'show',
  'token',
  'doctor',
  'status',
  'verify',
  'measure',
  'plan',
  'exec',
  'capture',
  'shell',
  'ping',
  'trace',
  'graph',
  'list',
  'forget',
  'link',
  'links',
];

/** Commands that report an interrupted migration themselves. */
const recovering = ['resume', 'rollback'];

/** Reports every interrupted migration, and how to continue. */
function reportInterrupted(context: Context): void {
  for (const migration of context.store.migrations.unfinished()) {
    if (isLocked(context, migration.slice, migration.vn)) continue;
    context.report({ kind: 'note', text: `${describeUnfinished(migration)}; ${recoveryHint(migration.slice)}` });
  }
}

/** Runs a command that needs no database; otherwise as `runCommand`. */
export async function runPlain(command: Command, body: (signal: AbortSignal) => Promise<Output>): Promise<void> {
  const options = globalOptions(command);
  const abort = new AbortController();
  const stopWatching = onInterrupt(() => abort.abort(new VnmError('interrupted', 'interrupted')));
  useColours(!options.json);
  try {
    print(options, await body(abort.signal));
  } catch (error) {
    printError(options, error);
  } finally {
    useColours(false);
    stopWatching();
  }
}

const progress = progressLines(process.stderr);

/** Where progress goes: to stderr; with messages to the nodes for `--verbose`; nowhere for `--quiet`. */
export function reportsOf(command: Command): Pick<Context, 'report' | 'detail'> {
  const { verbose, quiet } = globalOptions(command);
  if (quiet) return { report: () => {} };
  const { report } = progress;
  return verbose ? { report, detail: printDetail } : { report };
}

function printDetail(text: string): void {
  progress.print(`    ${new Date().toISOString().slice(11, 23)} ${text}`);
}

function print({ json }: GlobalOptions, output: Output): void {
  progress.end();
  if (output.text !== '' || output.json !== undefined)
    process.stdout.write(json ? `${JSON.stringify(output.json, null, 2)}\n` : `${output.text}\n`);
  process.exitCode = output.exitCode ?? exitCodes.done;
}

/** Prints an error, and sets the exit code. */
export function printError({ json }: Pick<GlobalOptions, 'json'>, error: unknown): void {
  progress.end();
  process.stderr.write(`${errorText(error)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
  process.exitCode = error instanceof VnmError ? error.exitCode : exitCodes.failed;
}
