/** Which value each setting has, and where that comes from: command line > environment > file > default. */
import { VnmError } from '../../model/errors.ts';
import { quote } from '../../slicefile/index.ts';
import type { DatabasePlace } from './database-place.ts';
import type { FileValues } from './file.ts';
import { exclusive, type GlobalOptions, type SettingName, settingNames, settings } from './settings.ts';

/** From the strongest to the weakest. */
const sources = ['command-line', 'environment', 'file', 'default'] as const;
export type Source = (typeof sources)[number];

/** A value, and its origin: the option, the variable, `file:line:column`, or why it is the default. */
export interface Resolved<T = string | boolean> {
  readonly value: T;
  readonly source: Source;
  readonly where?: string;
}

export type ResolvedSettings = { readonly [S in SettingName]: Resolved<GlobalOptions[S]> };

/** What sets settings. `commandLine` has only the options that are on it. */
export interface Origins {
  readonly commandLine: { readonly [S in SettingName]?: string | boolean };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: FileValues;
  readonly place: DatabasePlace;
}

/** Throws VnmError `usage` for the value of a variable that the setting cannot have. */
export function resolveSettings(origins: Origins): ResolvedSettings {
  const found = Object.fromEntries(settingNames.map((name) => [name, resolve(name, origins)])) as unknown;
  return withoutConflict(found as ResolvedSettings);
}

function resolve(name: SettingName, { commandLine, environment, file, place }: Origins): Resolved {
  const { flags, variable } = settings[name];
  const given = commandLine[name];
  if (given !== undefined) {
    const flag = flags.replace(/^.*(--[a-z-]+).*$/, '$1');
    return { value: given, source: 'command-line', where: given === false ? flag.replace('--', '--no-') : flag };
  }
  const text = environment[variable];
  // As in other programs, an empty variable is as none.
  if (text !== undefined && text !== '') {
    return { value: name === 'db' ? text : readSwitch(variable, text), source: 'environment', where: variable };
  }
  const written = file[name];
  if (written !== undefined) return { ...written, source: 'file' };
  return name === 'db'
    ? { value: place.path, source: 'default', where: place.reason }
    : { value: false, source: 'default' };
}

const switchWords = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
]);

function readSwitch(variable: string, text: string): boolean {
  const value = switchWords.get(text.toLowerCase());
  if (value !== undefined) return value;
  throw new VnmError('usage', `invalid value of ${variable}: expected true or false, found ${quote(text)}`, {
    hint: 'set it to true or false, or unset it',
  });
}

/** Of two that exclude each other the stronger origin wins. Throws VnmError `usage` if both have the same. */
function withoutConflict(found: ResolvedSettings): ResolvedSettings {
  const [a, b] = exclusive;
  if (!found[a].value || !found[b].value) return found;
  const [first, second] = [a, b].toSorted((x, y) => strength(found[x]) - strength(found[y])) as [typeof a, typeof b];
  if (found[first].source === found[second].source) {
    throw new VnmError('usage', `${found[a].where} and ${found[b].where} exclude each other`, {
      hint: 'use one of them',
    });
  }
  const where = `${found[second].where}, overridden by ${found[first].where}`;
  return { ...found, [second]: { ...found[second], value: false, where } };
}

function strength({ source }: Resolved): number {
  return sources.indexOf(source);
}
