import { Argument, type Command } from 'commander';
import { complete, completionLines } from '../completion/complete.ts';
import { namesIn } from '../completion/names.ts';
import { type Shell, scripts, shells } from '../completion/scripts.ts';
import { globalOptions, runPlain } from '../run.ts';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print the completion script of a shell, which asks this command what may come next')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .argument('[words...]', 'after --: the words of a command line to complete')
    .action((shell: Shell, words: string[], _options: unknown, command: Command) =>
      runPlain(command, async () => {
        if (words.length === 0) return { text: scripts[shell], json: { script: scripts[shell] } };
        const completion = complete(program, words, namesIn(databaseOn(words) ?? globalOptions(command).db), shell);
        return { text: completionLines(completion), json: completion };
      }),
    );
}

/** The database that the words name. */
function databaseOn(words: readonly string[]): string | undefined {
  const at = words.indexOf('--db');
  return at < 0 ? words.find((word) => word.startsWith('--db='))?.slice('--db='.length) : words[at + 1];
}
