/** The options of a migration on the command line, made from their schema. */
import { type Command, Option } from 'commander';
import {
  type MigrationOptions,
  migrationOptionNames,
  optionKinds,
  usualOptions,
} from '../controller/migration/options.ts';
import { limitOption } from './options.ts';

type Name = keyof MigrationOptions;

/** The placeholders of the values in the help. */
const values: Partial<Record<Name, string>> = {
  method: 'name',
  control: 'mode',
  controlPlane: 'way',
  parallel: 'n',
  schedule: 'name',
  granularity: 'what',
  urpf: 'mode',
};

/** Adds all options that say how to migrate. */
export function addMigrationOptions(command: Command): Command {
  for (const name of migrationOptionNames) command.addOption(migrationOption(name));
  return command;
}

export function migrationOption(name: Name): Option {
  const kind = optionKinds[name];
  const { [name]: value } = values;
  const words = kind.description!.charAt(0).toLowerCase() + kind.description!.slice(1);
  const flags = `--${dashed(name)}${value === undefined ? '' : ` <${value}>`}`;
  const option = 'minValue' in kind ? limitOption(flags, words, rangeOf(kind)) : new Option(flags, words);
  if ('options' in kind) option.choices([...kind.options]);
  return option.default(usualOptions[name]);
}

function rangeOf({ minValue, maxValue }: { readonly minValue: number | null; readonly maxValue: number | null }) {
  return [minValue!, maxValue!] as const;
}

/** The migration options among all options of a command. */
export function migrationOptionsIn(options: MigrationOptions): MigrationOptions {
  const given = migrationOptionNames.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]])) as unknown as MigrationOptions;
}

/** Formats options as a user would type them. */
export function migrationWords(options: Partial<Record<Name, unknown>>): string {
  const words = migrationOptionNames.flatMap((name) => {
    const value = options[name];
    if (value === undefined || value === false) return [];
    return value === true ? [`--${dashed(name)}`] : [`--${dashed(name)}`, String(value)];
  });
  return words.join(' ');
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
