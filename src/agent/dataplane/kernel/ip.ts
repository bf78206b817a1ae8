/**
 * The commands `ip` and `tc`, always with many lines at once (`-batch -`): one spawn takes about 2 ms, one line 10 us.
 */
import { VnmError } from '../../../model/errors.ts';
import { run } from '../../run.ts';
import { checkPlain } from '../planner/commands.ts';
import { ownStack } from '../planner/state.ts';

export type Tool = 'ip' | 'tc' | 'bridge';
/** The tools that wait for armed actions. */
export type ArmedTool = Exclude<Tool, 'bridge'>;

/** The option that prints numbers in place of names, or in one unit. */
const numbers: Record<Tool, string> = { ip: '-N', tc: '-raw', bridge: '-N' };

/** Returns one line of a batch. Throws as `checkPlain`. `rest`: see `Step`. */
export function batchLine(words: readonly string[], rest = ''): string {
  checkPlain(words);
  return `${words.join(' ')}${rest}\n`;
}

export interface LineFailure {
  /** Counted from 0. */
  readonly line: number;
  readonly words: string;
}

/**
 * Runs lines in a stack up to the first that fails, or with `force` all of them. Throws VnmError `failed` when `ip`
 * ends without naming a line: it cannot enter the stack, or does not know a word.
 */
export async function runBatch(
  tool: Tool,
  namespace: string,
  lines: readonly string[],
  force = false,
): Promise<LineFailure[]> {
  const args = [...inNamespace(namespace), ...(force ? ['-force'] : []), '-batch', '-'];
  const { code, stderr } = await run(tool, args, lines.join(''));
  const failures = parseFailures(stderr);
  if (code !== 0 && failures.length === 0)
    throw new VnmError('failed', `${[tool, ...args].join(' ')}: ${kernelWords(stderr)}`);
  return failures;
}

/** Parses error output: `ip` prints the reason, and then the number of the line. */
export function parseFailures(stderr: string): LineFailure[] {
  const failures = stderr.matchAll(/((?:.*\n)*?)Command failed -:(\d+)\n/g);
  return [...failures].map(([, text = '', line]) => ({ line: Number(line) - 1, words: kernelWords(text) }));
}

/**
 * Returns the JSON that each `show` line prints, with numbers in place of names; with `-statistics` among the options
 * also counts. Throws VnmError `failed`.
 */
export async function showBatch(
  tool: Tool,
  namespace: string,
  lines: readonly (readonly string[])[],
  options: readonly '-statistics'[] = [],
): Promise<unknown[][]> {
  const documents = await printBatch(tool, namespace, lines, options);
  return documents.map((document) => JSON.parse(document));
}

/** As `showBatch`, without reading the JSON. */
export async function printBatch(
  tool: Tool,
  namespace: string,
  lines: readonly (readonly string[])[],
  options: readonly '-statistics'[] = [],
): Promise<string[]> {
  const args = [...inNamespace(namespace), '-json', '-details', ...options, numbers[tool], '-batch', '-'];
  const { code, stdout, stderr } = await run(tool, args, lines.map((words) => batchLine(words)).join(''));
  const documents = stdout.split('\n').filter((line) => line !== '');
  if (code === 0 && documents.length === lines.length) return documents;
  const [failure] = parseFailures(stderr);
  const { line, words } = failure ?? { line: 0, words: kernelWords(stderr) };
  throw new VnmError('failed', `${asTyped(tool, namespace, lines[line]!)}: ${words}`);
}

/** Returns a line as one would type it, for messages. */
export function asTyped(tool: Tool, namespace: string, words: readonly string[]): string {
  return [tool, ...inNamespace(namespace), ...words].join(' ');
}

/** Returns the reason without its prefix and final period. */
export function kernelWords(stderr: string): string {
  const [line = ''] = stderr.trim().split('\n');
  return line.replace(/^(RTNETLINK answers|Error): /, '').replace(/\.$/, '') || 'no reason given';
}

function inNamespace(namespace: string): string[] {
  return namespace === ownStack ? [] : ['-netns', namespace];
}
