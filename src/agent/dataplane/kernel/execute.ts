/** Does a plan's commands, all or none. */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Command, Step } from './commands.ts';
import { asTyped, batchLine, runBatch } from './ip.ts';
import { writeSettings } from './settings.ts';

interface Failure {
  /** Which of the steps. */
  readonly index: number;
  readonly message: string;
}

/**
 * Runs the commands in order. When one fails, runs the inverses of all that were done in reverse order and throws VnmError
 * `failed`, which says what failed and why, and what could not be undone if there is such.
 */
export async function execute(commands: readonly Command[]): Promise<void> {
  const [failure] = await runSteps(
    commands.map((command) => command.do),
    false,
  );
  if (failure === undefined) return;
  // Of several settings written at once some may have been; writing back their old values does no harm.
  const failed = commands[failure.index]!;
  const done = commands.slice(0, failure.index + Number('settings' in failed.do));
  const left = await undo(done);
  throw new VnmError('failed', [failure.message, ...left.map((message) => `not undone: ${message}`)].join('\n'), {
    hint: left.length === 0 ? 'nothing was changed' : 'undo the rest by hand, or apply what shall be again',
  });
}

/** Answers what could not be undone. */
export async function undo(commands: readonly Command[]): Promise<string[]> {
  const steps = commands.toReversed().flatMap((command) => command.undo);
  return (await runSteps(steps, true)).map(({ message }) => message);
}

/** Runs steps in order up to the first failure, or with `force` all of them. */
async function runSteps(steps: readonly Step[], force: boolean): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const { first, count } of runs(steps)) {
    for (const { offset, message } of await runRun(steps.slice(first, first + count), force)) {
      failures.push({ index: first + offset, message });
    }
    if (failures.length > 0 && !force) break;
  }
  return failures;
}

/** Consecutive lines of `ip` in one stack go to one process. */
function* runs(steps: readonly Step[]): Generator<{ first: number; count: number }> {
  for (let first = 0; first < steps.length; ) {
    const step = steps[first]!;
    let count = 1;
    if ('ip' in step) while (isLine(steps[first + count], step.namespace)) count += 1;
    yield { first, count };
    first += count;
  }
}

function isLine(step: Step | undefined, namespace: string): boolean {
  return step !== undefined && 'ip' in step && step.namespace === namespace;
}

async function runRun(steps: readonly Step[], force: boolean): Promise<{ offset: number; message: string }[]> {
  const [first] = steps;
  try {
    if (first !== undefined && 'settings' in first) {
      await writeSettings(first.namespace, first.settings);
      return [];
    }
    const lines = steps.map((step) => ('ip' in step ? step.ip : []));
    const namespace = first?.namespace ?? '';
    const failures = await runBatch(namespace, lines.map(batchLine), force);
    return failures.map(({ line, words }) => ({
      offset: line,
      message: `${asTyped(namespace, lines[line]!)}: ${words}`,
    }));
  } catch (error) {
    return [{ offset: 0, message: messageOf(error) }];
  }
}
