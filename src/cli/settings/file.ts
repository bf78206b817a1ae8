/** The file with a user's settings. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import * as z from 'zod';
import { VnmError } from '../../model/errors.ts';
import { configFolder } from '../../model/user-folders.ts';
import {
  atKey,
  fileSchema,
  formatFault,
  quote,
  readBySchema,
  readText,
  sortFaults,
  text,
} from '../../slicefile/index.ts';
import { exclusive, type SettingName, settingNames, settings } from './settings.ts';

/** A value, and its place in the file, as `file:line:column`. */
interface FileValue {
  readonly value: string | boolean;
  readonly where: string;
}

export type FileValues = { readonly [S in SettingName]?: FileValue };

const pathHint =
  "a full path, or one that begins with ~/, your home; 'pl-vnm.db' would be another file in every directory";

const path = text({ title: 'path', description: pathHint }, (value) => {
  if (value.startsWith('~/')) return join(homedir(), value.slice(2));
  if (isAbsolute(value)) return value;
  throw new VnmError('invalid-input', `${quote(value)} is no full path`, { hint: pathHint });
});

const schema = fileSchema(
  z
    .strictObject({
      db: path.exactOptional(),
      ...switches(['json', 'acceptNewHostKeys', 'wait', 'verbose', 'quiet']),
    })
    // A file may be empty, or have comments only.
    .nullable(),
  'list of settings',
);

function switches<S extends SettingName>(names: readonly S[]) {
  const one = (name: S) => z.boolean().describe(`true or false: ${settings[name].description}`).exactOptional();
  return Object.fromEntries(names.map((name) => [name, one(name)])) as Record<S, ReturnType<typeof one>>;
}

export function settingsFile(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(configFolder(environment), 'config.yaml');
}

/**
 * Reads the settings of a file; returns undefined if there is none. Throws VnmError `invalid-input` with a line for
 * each fault.
 */
export function readSettings(file: string): FileValues | undefined {
  const source = textOf(file);
  return source === undefined ? undefined : parseSettings(source, file);
}

/** `file` only appears in the faults and places. */
export function parseSettings(source: string, file: string): FileValues {
  const { faults, read } = readBySchema(source, file, schema);
  const data = read?.data;
  const both =
    data != null && exclusive.every((name) => data[name] === true)
      ? [atKey([exclusive[1]], `${quote(exclusive[0])} is true, too`, 'keep one of them')]
      : [];
  const problems = read === undefined ? [] : [...read.problems, ...both].map(read.located);
  const all = sortFaults([...faults, ...problems]);
  if (read === undefined || all.length > 0) throw new VnmError('invalid-input', all.map(formatFault).join('\n'));
  const found = settingNames.flatMap((name) => {
    const value = data?.[name];
    if (value === undefined) return [];
    const { line, column } = read.positionOf([name], 'key');
    return [[name, { value, where: `${file}:${line}:${column}` }] as const];
  });
  return Object.fromEntries(found);
}

function textOf(file: string): string | undefined {
  try {
    return readText(file, 'settings file');
  } catch (error) {
    const { code } = ((error as VnmError).cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
