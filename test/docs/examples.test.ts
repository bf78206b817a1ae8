/**
 * Checks the examples of README.md and docs/. The kinds, which are the info strings of the fences:
 *
 * - `yaml`: a whole slice or experiment file, or keys to add to the slice file of docs/slice-file.md;
 *   `yaml experiment`: keys for the experiment file of docs/experiments.md; `yaml figures`: `figures:` of one;
 *   `yaml shortened`: lines of a gallery file.
 * - `json`, and `text json` with a word before each value: JSON, checked against its schema where it has one.
 * - `console`: commands, without output or with shortened output; `console run`: run here; `console session`: run by
 *   test/system/commands-page.test.ts; `console record`: took too long or needs other hosts, so it is not run.
 * - `text`: printed by the program; `text other`: not printed by the program (a formula, a drawing, a command line).
 */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { figureDefinitions } from '../../src/experiment/figures/index.ts';
import { checkExperiment } from '../../src/experiment/file/parse.ts';
import { errorTable } from '../../src/model/errors.ts';
import { event } from '../../src/service/http/schemas/event.ts';
import { checkSlice, formatFault } from '../../src/slicefile/index.ts';
import { requestSchemas } from '../../src/vsys/messages.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import {
  type Example,
  examplesOf,
  isPrinted,
  isShortened,
  linesIn,
  pages,
  programCommands,
  stepsOf,
  textOf,
} from './examples.ts';
import { exampleDirectory, parseOnly, run } from './run-example.ts';

const examples = pages().flatMap((page) => examplesOf(page));
const directory = exampleDirectory(examples.find(({ kind }) => kind === 'yaml')!.text);

const kinds: Readonly<Record<string, (example: Example) => unknown>> = {
  yaml: checkYaml,
  'yaml experiment': ({ text }) => {
    const whole = examplesOf('docs/experiments.md').find(({ kind }) => kind === 'yaml')!.text;
    checkExperimentText(stringify({ ...parse(whole), ...parse(text) }));
  },
  'yaml shortened': ({ text }) => {
    const known = new Set(linesIn('slices'));
    expect(linesOf(text).filter((line) => line !== '[...]' && !known.has(line))).toEqual([]);
  },
  'yaml figures': ({ text }) => figureDefinitions.parse(parse(text).figures),
  json: checkJson,
  'text json': checkJson,
  console: async (example) => {
    await checkCommands(example);
    const hasOutput = stepsOf(example.text).some(({ output }) => output.join('') !== '');
    expect(hasOutput && !isShortened(example) ? 'not marked as shortened, and not run' : '').toBe('');
    checkOutput(example);
  },
  'console run': async (example) => {
    await checkCommands(example);
    await checkRun(example);
  },
  'console session': async (example) => {
    expect(example.page).toBe('docs/commands.md');
    await checkCommands(example);
  },
  'console record': async (example) => {
    await checkCommands(example);
    checkOutput(example);
  },
  text: ({ text }) => expect(text.split('\n').filter((line) => !isPrinted(line))).toEqual([]),
  'text other': () => {},
};

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '');
}

/** Slice files in it are relative to the root. */
function checkExperimentText(text: string): void {
  const file = fileURLToPath(new URL('../../example.yaml', import.meta.url));
  const checked = checkExperiment(text, file);
  expect('faults' in checked ? checked.faults.map(formatFault) : []).toEqual([]);
}

function checkYaml({ text }: Example): void {
  if (text.startsWith('experiment:')) {
    checkExperimentText(text);
    return;
  }
  const whole = examplesOf('docs/slice-file.md').find(({ kind }) => kind === 'yaml')!.text;
  const isWhole = text.startsWith('slice:');
  const checked = checkSlice(isWhole ? text : stringify(merged(parse(whole), parse(text))), 'example.yaml');
  expect('faults' in checked ? checked.faults.map(formatFault) : []).toEqual([]);
}

function merged(a: unknown, b: unknown): unknown {
  const isMap = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(a) || !isMap(b)) return b;
  const changed = Object.entries(b).map(([key, value]) => [key, merged((a as Record<string, unknown>)[key], value)]);
  return { ...a, ...Object.fromEntries(changed) };
}

/** A value begins at the start of a line or after a word. */
function checkJson({ text }: Example): void {
  const lines = text.replace(/^(?=\S)/gm, '\0').replace(/\0\}/g, '}');
  const values = lines.split(/\0|(?<=\}) {2,}/).flatMap((value) => {
    const [, word = '', json] = /^([a-z_]*):? ?(\{[\s\S]*)$/.exec(value.trim()) ?? [];
    return json === undefined ? [] : [{ word, value: JSON.parse(json) as Record<string, unknown> }];
  });
  expect(values).not.toEqual([]);
  for (const { word, value } of values) {
    if (word in requestSchemas) requestSchemas[word as keyof typeof requestSchemas].parse(value);
    else if ('method' in value) requestSchemas[value.method as keyof typeof requestSchemas].parse(value.params);
    else if ('actions' in value) requestSchemas.arm.parse(value);
    else if ('interfacePrefix' in value) policySchema.parse(value);
    else if ('message' in value) event.parse(value);
    else if ('error' in value) expect(errorTable).toHaveProperty((value.error as { data: { code: string } }).data.code);
  }
}

/** Every command, option and npm script exists, and so does every path of the HTTP API. */
async function checkCommands({ text }: Example): Promise<void> {
  for (const { command } of stepsOf(text)) {
    for (const words of programCommands(command)) await parseOnly(words);
    const [, script] = /^npm run ([\w:]+)/.exec(command) ?? [];
    if (script !== undefined) expect(JSON.parse(textOf('package.json')).scripts).toHaveProperty(script);
    const [, path] = /localhost:8473(\/\S*)/.exec(command) ?? [];
    if (path !== undefined) {
      const known = [...textOf('docs/reference/http.md').matchAll(/^## [A-Z]+ (.*)$/gm)].map(([, one]) => one!);
      expect(
        known.some((one) => new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(path)),
        path,
      ).toBe(true);
    }
  }
}

/** The program prints such lines; other programs' output is not checked. */
function checkOutput({ text }: Example): void {
  const own = stepsOf(text).filter(({ command }) => /^(npx )?(pl-vnm|npm)/.test(command));
  expect(own.flatMap(({ output }) => output.filter((line) => !isPrinted(line)))).toEqual([]);
}

/** Commands run one after the other in a directory that has the files the pages name. */
async function checkRun({ text }: Example): Promise<void> {
  for (const { command, output } of stepsOf(text)) {
    const [words] = programCommands(command);
    const [, end, count] = /\| (head|tail) -(\d+)$/.exec(command) ?? [];
    const { printed, exitCode } = await run(words!, directory);
    const lines = printed.trimEnd().split('\n');
    const shown = end === 'head' ? lines.slice(0, Number(count)) : lines.slice(-Number(count ?? 0));
    expect([...shown, ...(exitCode === 0 ? [] : [`[exit code ${exitCode}]`])]).toEqual(output);
  }
}

test.each(examples.map((example) => ({ ...example, place: `${example.page}:${example.line}` })))(
  'the example at $place ($kind) is right',
  async (example) => {
    expect(Object.keys(kinds)).toContain(example.kind);
    await kinds[example.kind]!(example);
  },
);

test.each(pages())('%s fences every block of code', (page) => {
  const prose = textOf(page).replace(/^```[\s\S]*?^```$/gm, '');
  expect(prose.match(/^\n {4,}\S.*$/gm) ?? []).toEqual([]);
});

test.each([
  ['yaml', 'vn: { name: "" }\n'],
  ['yaml shortened', 'slice: in-no-file\n'],
  ['yaml figures', 'figures: [{ name: x, title: X, kind: pie, x: run }]\n'],
  ['json', '{"jsonrpc":"2.0","id":1,"method":"claim","params":{"before":0}}\n'],
  ['console', '$ pl-vnm deploy\n'],
  ['console', '$ pl-vnm status --alive\n'],
  ['console', '$ npm run no-such-script\n'],
  ['console', '$ curl localhost:8473/api/no-such-path\n'],
  ['console', '$ pl-vnm status two\nhealth: not monitored\n'],
  ['console run', '$ pl-vnm validate office.yaml\noffice.yaml: good\n'],
  ['text', 'VN two walked over to final, gladly losing seventeen purple packets\n'],
])('a wrong example of the kind `%s` is refused: %j', async (kind, text) => {
  const example = { page: 'docs/page.md', line: 1, kind, text, before: '' };
  await expect((async () => kinds[kind]!(example))()).rejects.toThrow();
});
