/** The options of a migration on the command line, as their one schema has them. */
import { type Command, Option } from 'commander';
import {
  type MigrationOptions,
  migrationOptionNames,
  optionKinds,
  usualOptions,
} from '../controller/migration/options.ts';

type Name = keyof MigrationOptions;

/** What stands for a value in the help. */
const values: Partial<Record<Name, string>> = {
  control: 'mode',
  schedule: 'name',
  granularity: 'what',
  urpf: 'mode',
};

/** How a migration is done, whoever starts it. */
export function addMigrationOptions(command: Command): Command {
  for (const name of migrationOptionNames) command.addOption(migrationOption(name));
  return command;
}

export function migrationOption(name: Name): Option {
  const kind = optionKinds[name];
  const { [name]: value } = values;
  const words = kind.description!.charAt(0).toLowerCase() + kind.description!.slice(1);
  const option = new Option(`--${dashed(name)}${value === undefined ? '' : ` <${value}>`}`, words);
  if ('options' in kind) option.choices([...kind.options]);
  return option.default(usualOptions[name]);
}

/** What `options` hold next to others. */
export function migrationOptionsIn(options: MigrationOptions): MigrationOptions {
  const given = migrationOptionNames.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]])) as unknown as MigrationOptions;
}

/** As they would be typed. */
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
