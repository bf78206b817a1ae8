/** Several commands by one child process: a spawn takes this process, with its large memory, longer than a shell. */
import { randomUUID } from 'node:crypto';
import { VnmError } from '../model/errors.ts';
import { posixWord } from '../model/posix-word.ts';
import { type Finished, run } from './run.ts';

export interface Step {
  readonly words: readonly string[];
  readonly stdin?: string;
}

/** The exit code of a step whose program is missing. */
export const missingProgram = 127;

/**
 * Runs the steps one after the other, whatever becomes of each, by a shell that reads a script: `shell` are the words
 * that start it. Returns what each step did, and how the shell itself ended, with what it printed besides; there are
 * fewer steps if the shell did not get to all of them. Throws as `run`.
 */
export async function runSteps(
  steps: readonly Step[],
  shell: readonly [string, ...string[]] = ['sh', '-s'],
): Promise<{ readonly done: Finished[]; readonly shell: Finished }> {
  const mark = randomUUID();
  const [command, ...args] = shell;
  const finished = await run(command, args, steps.map((step) => scriptOf(step, mark)).join(''));
  const codes = [...finished.stdout.matchAll(new RegExp(`${mark} (\\d+)\n`, 'g'))].map(([, code]) => Number(code));
  const split = (text: string) => text.split(new RegExp(`${mark}.*\n`));
  const [stdouts, stderrs] = [split(finished.stdout), split(finished.stderr)];
  return {
    done: codes.map((code, index) => ({ code, stdout: stdouts[index]!, stderr: stderrs[index] ?? '' })),
    shell: { code: finished.code, stdout: stdouts.at(-1)!, stderr: stderrs.at(-1)! },
  };
}

/** Lines of a script. The step's output ends with the mark, its standard output also with the exit code. */
function scriptOf({ words, stdin = '' }: Step, mark: string): string {
  const lines = stdin === '' || stdin.endsWith('\n') ? stdin : `${stdin}\n`;
  return `${words.map(posixWord).join(' ')} <<'${mark}'\n${lines}${mark}\necho "${mark} $?"; echo "${mark}" >&2\n`;
}

let waiting: { readonly step: Step; readonly settled: PromiseWithResolvers<Finished> }[] = [];

/** Runs a command as one of the steps of a shell, together with those that are asked for at the same moment. */
export function runTogether(words: readonly string[]): Promise<Finished> {
  const settled = Promise.withResolvers<Finished>();
  if (waiting.length === 0) setImmediate(() => void runWaiting());
  waiting.push({ step: { words }, settled });
  return settled.promise;
}

async function runWaiting(): Promise<void> {
  const these = waiting;
  waiting = [];
  try {
    const { done } = await runSteps(these.map(({ step }) => step));
    for (const [index, { step, settled }] of these.entries()) {
      const finished = done[index];
      if (finished !== undefined) settled.resolve(finished);
      else settled.reject(new VnmError('failed', `the shell for '${step.words[0]}' was ended`));
    }
  } catch (error) {
    for (const { settled } of these) settled.reject(error);
  }
}
