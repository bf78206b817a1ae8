/** The commands `ip` and `tc`, always given many lines at once (`-batch -`): one spawn takes about 2 ms, one line 10 us. */
import { VnmError } from '../../../model/errors.ts';
import { run } from './run.ts';

export type Tool = 'ip' | 'tc';

/** What makes them print numbers in place of names, or of other units. */
const numbers: Record<Tool, string> = { ip: '-N', tc: '-raw' };

/** The node's own network stack, wherever a namespace is named. */
export const ownStack = '';

/** Words are separated by spaces in a batch, and these have no other meaning there. */
const plainWord = /^[\w.:/@%+,-]+$/;

/** One line of a batch. Throws VnmError `unsupported` for a word that would not arrive as it is. */
export function batchLine(words: readonly string[]): string {
  for (const word of words) {
    if (!plainWord.test(word)) throw new VnmError('unsupported', `${JSON.stringify(word)} cannot be given to 'ip'`);
  }
  return `${words.join(' ')}\n`;
}

export interface LineFailure {
  /** Counted from 0. */
  readonly line: number;
  readonly words: string;
}

/**
 * Runs lines in a stack up to the first that fails, or with `force` all of them. Throws VnmError `failed` when `ip` ends without
 * saying where: it cannot enter the stack, or does not know a word.
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

/** `ip` says why, and then which line. */
export function parseFailures(stderr: string): LineFailure[] {
  const failures = stderr.matchAll(/((?:.*\n)*?)Command failed -:(\d+)\n/g);
  return [...failures].map(([, text = '', line]) => ({ line: Number(line) - 1, words: kernelWords(text) }));
}

/** The JSON that each `show` line prints, with numbers in place of names. Throws VnmError `failed`. */
export async function showBatch(
  tool: Tool,
  namespace: string,
  lines: readonly (readonly string[])[],
): Promise<unknown[][]> {
  const args = [...inNamespace(namespace), '-json', '-details', numbers[tool], '-batch', '-'];
  const { code, stdout, stderr } = await run(tool, args, lines.map(batchLine).join(''));
  const documents = stdout.split('\n').filter((line) => line !== '');
  if (code === 0 && documents.length === lines.length) return documents.map((document) => JSON.parse(document));
  const [failure] = parseFailures(stderr);
  const { line, words } = failure ?? { line: 0, words: kernelWords(stderr) };
  throw new VnmError('failed', `${asTyped(tool, namespace, lines[line]!)}: ${words}`);
}

/** How a line would be typed, for messages. */
export function asTyped(tool: Tool, namespace: string, words: readonly string[]): string {
  return [tool, ...inNamespace(namespace), ...words].join(' ');
}

/** The reason without what surrounds it. */
export function kernelWords(stderr: string): string {
  const [line = ''] = stderr.trim().split('\n');
  return line.replace(/^(RTNETLINK answers|Error): /, '').replace(/\.$/, '') || 'no reason given';
}

function inNamespace(namespace: string): string[] {
  return namespace === ownStack ? [] : ['-netns', namespace];
}
