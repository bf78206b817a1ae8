/** The options of a migration are typed, kept and shown alike. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addMigrationOptions, migrationOptionsIn, migrationWords } from '../../src/cli/migration-options.ts';
import { type MigrationOptions, usualOptions } from '../../src/controller/migration/options.ts';

function parse(words: string): MigrationOptions {
  const command = addMigrationOptions(new Command()).exitOverride();
  return migrationOptionsIn(command.parse(words === '' ? [] : words.split(' '), { from: 'user' }).opts());
}

test('without words they are the usual ones', () => expect(parse('')).toEqual(usualOptions));

test.each([
  '--control gateway --schedule optimal --granularity gateway',
  '--control remote --schedule heuristic --granularity peer --urpf strict --traffic --repair-first --resume-first',
  '--control gateway --schedule drain --granularity gateway --urpf loose --resume-first',
])('%s are the words of what they mean', (words) => expect(migrationWords(parse(words))).toBe(words));

test('another schedule is refused with those that there are', () => {
  const told: string[] = [];
  const command = addMigrationOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: (text) => void told.push(text) });
  expect(() => command.parse(['--schedule', 'soon'], { from: 'user' })).toThrow();
  expect(told.join('')).toContain('Allowed choices are simultaneous, heuristic, optimal, hold, drain.');
});
