/**
 * The commands `ip` and `tc`, always with many lines at once (`-batch -`): one spawn takes about 2 ms, one line 10 us.
 */
import { VnmError } from '../../../model/errors.ts';
import { run, runForBytes } from '../../run.ts';
import { checkPlain } from '../planner/commands.ts';
import { ownStack } from '../planner/state.ts';
import { isDump } from './route-dump.ts';

export type Tool = 'ip' | 'tc' | 'bridge';
/** The tools that wait for armed actions. */
export type ArmedTool = Exclude<Tool, 'bridge'>;

/** The option that prints numbers in place of names, or in one unit. */
const numbers: Record<Tool, readonly string[]> = { ip: ['-N'], tc: ['-raw'], bridge: [] };

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
  const args = showing(tool, namespace, options);
  const { code, stdout, stderr } = await run(tool, args, lines.map((words) => batchLine(words)).join(''));
  const documents = stdout.split('\n').filter((line) => line !== '');
  if (code === 0 && documents.length === lines.length) return documents;
  throw failureOf(tool, namespace, lines, stderr);
}

/** All tables, but IPv4 only. */
const saveLine = ['route', 'save', 'table', 'all', 'root', '0.0.0.0/0'];

/**
 * As `showBatch` for `ip`. The same process also returns the IPv4 routes of all tables as the kernel's messages (see
 * route-dump.ts), which are half as large as JSON, and need less time to write and to parse.
 */
export async function showAndSave(
  namespace: string,
  lines: readonly (readonly string[])[],
): Promise<{ readonly documents: unknown[][]; readonly dump: Buffer }> {
  const all = [...lines, saveLine];
  const args = showing('ip', namespace, []);
  const { code, stdout, stderr } = await runForBytes('ip', args, all.map((words) => batchLine(words)).join(''));
  const documents: unknown[][] = [];
  let at = 0;
  for (let end = 0; end >= 0 && !isDump(stdout, at); at = end + 1) {
    end = stdout.indexOf('\n', at);
    if (end > at) documents.push(JSON.parse(stdout.toString('utf8', at, end)));
  }
  if (code === 0 && documents.length === lines.length && isDump(stdout, at))
    return { documents, dump: stdout.subarray(at) };
  throw failureOf('ip', namespace, all, stderr);
}

function showing(tool: Tool, namespace: string, options: readonly '-statistics'[]): string[] {
  return [...inNamespace(namespace), '-json', '-details', ...options, ...numbers[tool], '-batch', '-'];
}

function failureOf(tool: Tool, namespace: string, lines: readonly (readonly string[])[], stderr: string): VnmError {
  const [failure] = parseFailures(stderr);
  const { line, words } = failure ?? { line: 0, words: kernelWords(stderr) };
  return new VnmError('failed', `${asTyped(tool, namespace, lines[line]!)}: ${words}`);
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
