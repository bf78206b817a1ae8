/** The manual page, made from the help: `npm run build` writes it, and installing the package installs it. */
import type { Argument, Command, Option } from 'commander';
import { errorTable } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { packageVersion } from '../model/package.ts';
import { settingNames, settings } from './settings/settings.ts';

/** The page in the language of man(7). The same program always has the same page. */
export function manPage(program: Command): string {
  const name = program.name();
  const commands = leaves(program);
  return [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${packageVersion()}" "User Commands"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(lowerFirst(program.description()).replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${escaped(name)}`,
    '.RI [ options ]',
    '.I command',
    '.RI [ argument ...]',
    '.SH OPTIONS',
    'These come before or after the command.',
    ...visibleOptions(program).flatMap(optionLines),
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH EXIT STATUS',
    ...exitLines(),
    '.SH ENVIRONMENT',
    ...Object.values(settings).flatMap(({ flags, variable, description }) => [
      '.TP',
      `.B ${escaped(variable)}`,
      escaped(`${sentence(description)} As ${flags}${flags.includes('<') ? '' : ', if it is true'}.`),
    ]),
    '.SH FILES',
    '.TP',
    `.I ${escaped('~/.config/pl-vnm/config.yaml')}`,
    escaped(`The same settings: ${settingNames.join(', ')}. Options and variables override them.`),
    '.TP',
    `.I ${escaped('~/.local/state/pl-vnm/pl-vnm.db')}`,
    'The database of an installed program, where none is in the working directory or next to the slice file.',
    '.SH SEE ALSO',
    'The package has slice files in its folder slices, and pages about them and about operating in docs.',
    '',
  ].join('\n');
}

/** The commands that do something, those with subcommands replaced by these. */
function leaves(command: Command): Command[] {
  const below = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
  return below.length === 0 ? [command] : below.flatMap(leaves);
}

function visibleOptions(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

function commandLines(command: Command): string[] {
  const help = command.createHelp();
  const described = help.visibleArguments(command).filter(({ description }) => description !== '');
  const options = visibleOptions(command).filter(({ long }) => long !== '--help');
  return [
    `.SS "${escaped(commandName(command))} ${escaped(command.usage().replace(/^\[options\] ?/, ''))}"`,
    escaped(sentence(command.description())),
    ...described.flatMap(argumentLines),
    ...options.flatMap(optionLines),
  ];
}

function commandName(command: Command): string {
  return command.parent === null ? '' : `${commandName(command.parent)} ${command.name()}`.trim();
}

function argumentLines(argument: Argument): string[] {
  const choices = argument.argChoices === undefined ? '' : ` (${argument.argChoices.join(', ')})`;
  return ['.TP', `.I ${escaped(argument.name())}`, escaped(sentence(`${argument.description}${choices}`))];
}

function optionLines(option: Option): string[] {
  const { argChoices, defaultValue, defaultValueDescription, envVar } = option;
  const usual = defaultValueDescription ?? (typeof defaultValue === 'boolean' ? undefined : defaultValue);
  const facts = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(usual === undefined || `${usual}` === '' ? [] : [`default: ${usual}`]),
    ...(envVar === undefined ? [] : [`environment: ${envVar}`]),
  ];
  const more = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  return ['.TP', `.B ${escaped(option.flags)}`, escaped(sentence(`${option.description}${more}`))];
}

function exitLines(): string[] {
  const rows: [code: number, meanings: string[]][] = Object.values(exitCodes).map((code) => [
    code,
    Object.values(errorTable).flatMap(({ exit, means }) => (exit === code ? [means] : [])),
  ]);
  return rows.flatMap(([code, meanings]) => {
    const text = meanings.length === 0 ? ['Everything was done, or there was nothing to do'] : meanings;
    return ['.TP', `.B ${code}`, escaped(text.map(sentence).join(' '))];
  });
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** Text as it is: no requests at the beginning of a line, and hyphens that can be copied into a shell. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll(/\s+/g, ' ')
    .replace(/^(?=[.'])/, '\\&');
}
