import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Context, Progress } from '../controller/base/context.ts';
import { isLocked } from '../controller/base/lock.ts';
import { describeUnfinished, recoveryHint } from '../controller/base/unfinished.ts';
import { errorJson, VnmError } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { openStore } from '../store/store.ts';
import { onInterrupt } from './interrupt.ts';
import { errorText } from './output.ts';

/** Options before the command's name. */
export interface GlobalOptions {
  readonly db: string;
  readonly json: boolean;
  readonly acceptNewHostKeys: boolean;
  readonly wait: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
}

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
    const store =
      readOnly.includes(command.name()) && !existsSync(db) ? { ...openStore(':memory:'), path: db } : openStore(db);
    try {
      const context = { store, acceptNewHostKeys, ...reportsOf(command), signal, wait };
      if (!recovering.includes(command.name())) reportInterrupted(context);
      return await body(context);
    } finally {
      store.close();
    }
  });
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
  try {
    print(options, await body(abort.signal));
  } catch (error) {
    printError(options, error);
  } finally {
    stopWatching();
  }
}

/** Where progress goes: to stderr; with messages to the nodes for `--verbose`; nowhere for `--quiet`. */
export function reportsOf(command: Command): Pick<Context, 'report' | 'detail'> {
  const { verbose, quiet } = globalOptions(command);
  if (quiet) return { report: () => {} };
  return verbose ? { report: printProgress, detail: printDetail } : { report: printProgress };
}

function printProgress({ kind, text }: Progress): void {
  process.stderr.write(kind === 'phase' ? `- ${text}\n` : `  ${text}\n`);
}

function printDetail(text: string): void {
  process.stderr.write(`    ${new Date().toISOString().slice(11, 23)} ${text}\n`);
}

function print({ json }: GlobalOptions, output: Output): void {
  if (output.text !== '' || output.json !== undefined)
    process.stdout.write(json ? `${JSON.stringify(output.json, null, 2)}\n` : `${output.text}\n`);
  process.exitCode = output.exitCode ?? exitCodes.done;
}

function printError({ json }: GlobalOptions, error: unknown): void {
  process.stderr.write(`${errorText(error)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
  process.exitCode = error instanceof VnmError ? error.exitCode : exitCodes.failed;
}
