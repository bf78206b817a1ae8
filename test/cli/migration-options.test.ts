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
  '--method vroom --control gateway --control-plane restart --parallel 3 --schedule optimal --granularity gateway',
  '--control gateway --schedule drain --granularity gateway --urpf loose --resume-first',
])('migrationWords formats the parsed options %s again', (words) => expect(migrationWords(parse(words))).toBe(words));

function refusalOf(...words: string[]): string {
  const printed: string[] = [];
  const command = addMigrationOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: (text) => void printed.push(text) });
  expect(() => command.parse(words, { from: 'user' })).toThrow();
  return printed.join('');
}

test('an unknown schedule is refused with a list of the known ones', () => {
  expect(refusalOf('--schedule', 'soon')).toContain(
    'Allowed choices are simultaneous, heuristic, optimal, hold, drain.',
  );
});

test.each(['0', '-1', '1.5', 'two', '1001', ''])('--parallel %j is refused with its range', (text) => {
  expect(refusalOf('--parallel', text)).toContain('Give a whole number from 1 to 1000.');
});
