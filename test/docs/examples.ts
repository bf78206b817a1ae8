/** The fenced blocks of README.md and of the pages in docs/, each with a kind that says how a test checks it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

export interface Example {
  readonly page: string;
  /** Of the opening fence. */
  readonly line: number;
  /** The info string of the fence. */
  readonly kind: string;
  readonly text: string;
  /** The last line before the block. */
  readonly before: string;
}

/** A command of a `console` block and what it prints. */
export interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

export function pages(): string[] {
  const inDocs = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'));
  return ['README.md', ...inDocs.map((file) => join('docs', file))];
}

export function examplesOf(page: string, text = textOf(page)): Example[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: kind, 2: block, index }) => {
    const above = text.slice(0, index).split('\n');
    return {
      page,
      line: above.length,
      kind: kind!,
      text: block!,
      before: above.filter((line) => line !== '').at(-1) ?? '',
    };
  });
}

/** Prompts are `$ ` and, on a node, `gw1# ` or `gw1$ `. */
export function stepsOf(text: string): Step[] {
  const steps: { command: string; output: string[] }[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const [, command] = /^(?:\w+[#$]|\$) (.*)$/.exec(line) ?? [];
    if (command !== undefined) steps.push({ command, output: [] });
    else steps.at(-1)!.output.push(line);
  }
  return steps.map(({ command, output }) => ({ command, output: output.join('\n').trimEnd().split('\n') }));
}

/** Whether a block or the line before it says that output was left out. */
export function isShortened({ text, before }: Example): boolean {
  return /^\s*(\[?\.\.\.\]?|\[[^\]]{12,}\])$/m.test(text) || before.includes('shortened');
}

/** The words of each `pl-vnm` command in a line, without the program's name. */
export function programCommands(line: string): string[][] {
  const found = line.replace(/ +#.*$/, '').matchAll(/(?:^|\$\()(?:npx )?pl-vnm ([^|&)]*)/g);
  return [...found].map(([, words]) => {
    const typed = words!.replace(/[[\]]|\.\.\./g, '').matchAll(/"([^"]*)"|\S+/g);
    return [...typed].map(([word, quoted]) => quoted ?? word);
  });
}

let printable: string | undefined;

/**
 * Whether enough pairs of neighbouring words of a line are in the program's sources; names and values are not there.
 */
export function isPrinted(line: string): boolean {
  printable ??= ['src', 'test/bench', 'test/chaos', 'test/soak']
    .flatMap(linesIn)
    .join(' ')
    .replace(/['`] \+\s*['`]/g, '')
    .replace(/\s+/g, ' ');
  const runs = line.replace(/(?<!\w)'[^']*'/g, '\0').matchAll(/[A-Za-z_-]+(?: [A-Za-z_-]+)+/g);
  const pairs = [...runs].flatMap(([run]) => {
    const words = run.split(' ');
    return words
      .slice(1)
      .map((word, index) => `${words[index]} ${word}`)
      .filter((pair) => !/(^| )(-|\w( |$))/.test(pair));
  });
  return pairs.length < 4 || pairs.filter((pair) => printable!.includes(pair)).length >= pairs.length * 0.4;
}

/** The lines of all sources and slice files in a folder. */
export function linesIn(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => /\.(m?ts|yaml)$/.test(file)).map((file) => textOf(join(folder, file)));
  return sources.flatMap((text) => text.split('\n').map((line) => line.trim()));
}

/** Lines without what differs from run to run: numbers become `#`, `id`, of a testbed, becomes `ID`. */
export function formOf(lines: readonly string[], id = 'ID'): string[] {
  const text = lines
    .join('\n')
    .replaceAll(id, 'ID')
    .replace(/ \(holds [^)]*\)/g, '');
  return text.split('\n').map((line) =>
    line
      .replace(/(?<![A-Za-z_])-?\d[\w.:]*(-[A-Za-z]\S*)?/g, '#')
      .replace(/#(\/#|-#)*/g, '#')
      .replace(/ +/g, ' ')
      .replace(/-{2,}/g, '--')
      .trimEnd(),
  );
}
