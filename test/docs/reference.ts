/**
 * The reference pages in docs/reference/, generated from what the program itself uses: help texts, schemas, the table
 * of error codes.
 */
import type { Command } from 'commander';
import { errorTable } from '../../src/model/errors.ts';
import { exitCodes } from '../../src/model/exit-codes.ts';

const generated = 'This page is generated from the program.';

export function commandsPage(program: Command): string {
  const sections = leaves(program).map((command) => {
    const name = fullName(command).replace('pl-vnm ', '');
    return `## ${name}\n\n${sentence(command.description())}\n\n${indent(helpOf(command))}`;
  });
  return page(
    'Commands',
    'For users of the command line: every command with its arguments and options.',
    `Options of all commands, which [variables and a file](../settings.md) can also set:\n\n${indent(helpOf(program).split('\nCommands:')[0]!.trimEnd())}`,
    ...sections,
  );
}

function leaves(command: Command): Command[] {
  const own = command.commands.filter((one) => one.name() !== 'help');
  return own.length === 0 ? [command] : own.flatMap(leaves);
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function helpOf(command: Command): string {
  command.configureHelp({ helpWidth: 110 });
  return command.helpInformation().trimEnd();
}

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
}

export function sliceFilePage(schema: Schema): string {
  return page(
    'Keys of a slice file',
    'For authors of slice files. `*` stands for a name, `[]` for an entry of a list. An entry of `vns` has the keys of `vn`, and `placements` of its own.',
    keyTable(keysOf(schema, '').filter(({ key }) => !key.startsWith('vns.[].'))),
  );
}

export function experimentFilePage(schema: Schema): string {
  return page(
    'Keys of an experiment file',
    'For authors of experiment files. `[]` stands for an entry of a list. An entry of `combinations` has the keys of `fixed`, and so has `vary`, with a list of values for each.',
    keyTable(keysOf(schema, '').filter(({ key }) => !/^(combinations\.\[\]|vary)\./.test(key))),
  );
}

function keyTable(keys: ReturnType<typeof keysOf>): string {
  return table(
    ['key', 'needed', 'meaning'],
    keys.map(({ key, isNeeded, meaning }) => [`\`${key}\``, isNeeded ? 'yes' : '', meaning]),
  );
}

function keysOf(schema: Schema, path: string): { key: string; isNeeded: boolean; meaning: string }[] {
  const forms = schema.anyOf ?? [schema];
  const found = forms.flatMap(({ properties = {}, required = [], additionalProperties, items }) => [
    ...Object.entries(properties).flatMap(([name, child]) => [
      { key: `${path}${name}`, isNeeded: required.includes(name), meaning: child.description ?? '' },
      ...keysOf(child, `${path}${name}.`),
    ]),
    ...(typeof additionalProperties === 'object' ? keysOf(additionalProperties, `${path}*.`) : []),
    ...(typeof items === 'object' ? keysOf(items, `${path}[].`) : []),
  ]);
  return found.filter(({ key }, index) => found.findIndex((other) => other.key === key) === index);
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly { in: string; name: string; description?: string }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> };
}

export function httpPage({ paths }: OpenApi): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ title: `${method.toUpperCase()} ${path}`, operation })),
  );
  const sections = operations.map(({ title, operation: { summary, parameters = [], requestBody } }) => {
    const body = Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => keysOf(schema, ''));
    const rows = [
      ...parameters.map(({ in: where, name, description = '' }) => [`\`${name}\``, where, description]),
      ...body.map(({ key, meaning }) => [`\`${key}\``, 'body', meaning]),
    ];
    const fields = rows.length === 0 ? [] : [table(['field', 'in', 'meaning'], rows)];
    return [`## ${title}`, sentence(summary), ...fields].join('\n\n');
  });
  return page(
    'HTTP API',
    'For programs that talk to `pl-vnm serve`. The OpenAPI document, with the shapes of all answers, is at `/api/openapi.json` of a running service.',
    ...sections,
  );
}

export function errorsPage(): string {
  const codes = Object.entries(errorTable).map(([code, { means, exit, http }]) => [
    `\`${code}\``,
    sentence(means),
    exit,
    http,
  ]);
  const outcomes = [
    ['Everything was done, or there was nothing to do.', exitCodes.done],
    ['A migration was undone; the VN is on its old placement.', exitCodes.rolledBack],
    ['A migration could not be undone completely.', exitCodes.rollbackIncomplete],
  ];
  return page(
    'Error codes',
    'For scripts that run `pl-vnm` and programs that use the HTTP API: the name of each failure, the exit code of the command, and the HTTP status.',
    table(['code', 'meaning', 'exit code', 'HTTP status'], codes),
    `A command that ends without an error exits by its outcome:\n\n${table(['outcome', 'exit code'], outcomes)}`,
  );
}

function page(title: string, audience: string, ...sections: readonly string[]): string {
  return `${[`# ${title}`, `${audience} ${generated}`, ...sections].join('\n\n')}\n`;
}

function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => `${cell}`.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n');
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
