/** Puts the values of variables and of the file into the command line, before a command runs. */
import type { Command } from 'commander';
import { VnmError } from '../../model/errors.ts';
import { databasePlace } from './database-place.ts';
import { readSettings, settingsFile } from './file.ts';
import { type ResolvedSettings, resolveSettings, type Source } from './resolve.ts';
import { type SettingName, settingNames } from './settings.ts';

/**
 * Commands whose output is for another program: a variable or file must not turn it into a JSON document behind the
 * back of a script that reads it.
 */
const forPrograms = ['completion', 'schema', 'token', 'graph', 'import', 'exec', 'shell', 'capture'];

/** The settings of a command, before they are applied or after. Throws VnmError `invalid-input` or `usage`. */
export function settingsOf(program: Command, command: Command): ResolvedSettings {
  return resolveSettings({
    commandLine: onCommandLine(program),
    environment: process.env,
    file: readSettings(settingsFile()) ?? {},
    place: databasePlace(sliceFilesOf(command)),
  });
}

/** Throws as `settingsOf`. Commander's names for the origins are `cli`, `env`, `config` and `default`. */
export function applySettings(program: Command, command: Command): void {
  const found = leniently(command, () => settingsOf(program, command));
  if (found === undefined) return;
  for (const name of settingNames) {
    if (name === 'json' && forPrograms.includes(command.name())) continue;
    program.setOptionValueWithSource(name, found[name].value, origins[found[name].source]);
  }
}

/**
 * Whether errors are wanted as a JSON document, also before a command has its settings. Faults of the settings count as
 * no wish.
 */
export function wantsJson(program: Command): boolean {
  const given = onCommandLine(program).json;
  if (given !== undefined || forPrograms.includes(program.args[0] ?? '')) return given === true;
  const wanted = [
    () => resolveSettings({ ...noOrigins, environment: { PL_VNM_JSON: process.env.PL_VNM_JSON } }),
    () => resolveSettings({ ...noOrigins, file: readSettings(settingsFile()) ?? {} }),
  ];
  for (const resolve of wanted) {
    try {
      const { json } = resolve();
      if (json.source !== 'default') return json.value;
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
    }
  }
  return false;
}

const noOrigins = { commandLine: {}, environment: {}, file: {}, place: { path: '', reason: '' } };

const origins = { 'command-line': 'cli', environment: 'env', file: 'config', default: 'default' } as const satisfies {
  [S in Source]: string;
};

/** A shell has no place for messages while it completes a line, and its start-up file must work with any settings. */
function leniently<T>(command: Command, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (command.name() === 'completion' && error instanceof VnmError) return undefined;
    throw error;
  }
}

function onCommandLine(program: Command): { [S in SettingName]?: string | boolean } {
  const given = settingNames.filter((name) => program.getOptionValueSource(name) === 'cli');
  return Object.fromEntries(given.map((name) => [name, program.getOptionValue(name)]));
}

/** The slice files that a command's words name. */
function sliceFilesOf(command: Command): string[] {
  const values = command.registeredArguments.flatMap((argument, index) =>
    /^(slice|slice\.yaml|where|words)$/.test(argument.name()) ? [command.processedArgs[index]] : [],
  );
  const words = [...values.flat(), command.opts<{ slice?: unknown }>().slice];
  return words.filter((word): word is string => typeof word === 'string' && /\.ya?ml$/.test(word));
}
