/** The options of a migration have the same form when typed, stored and shown. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addMigrationOptions, migrationOptionsIn, migrationWords } from '../../src/cli/migration-options.ts';
import { type MigrationOptions, usualOptions } from '../../src/controller/migration/options.ts';

function parse(words: string): MigrationOptions {
  const command = addMigrationOptions(new Command()).exitOverride();
  return migrationOptionsIn(command.parse(words === '' ? [] : words.split(' '), { from: 'user' }).opts());
}

test('the options have defaults', () => expect(parse('')).toEqual(usualOptions));

test.each([
  '--control gateway --schedule optimal --granularity gateway',
  '--control remote --schedule heuristic --granularity peer --urpf strict --traffic --repair-first --resume-first',
  '--control gateway --schedule drain --granularity gateway --urpf loose --resume-first',
])('migrationWords formats the parsed options %s again', (words) => expect(migrationWords(parse(words))).toBe(words));

test('an unknown schedule is refused with a list of the known ones', () => {
  const printed: string[] = [];
  const command = addMigrationOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: (text) => void printed.push(text) });
  expect(() => command.parse(['--schedule', 'soon'], { from: 'user' })).toThrow();
  expect(printed.join('')).toContain('Allowed choices are simultaneous, heuristic, optimal, hold, drain.');
});
