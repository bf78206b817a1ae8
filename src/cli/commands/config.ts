import type { Command } from 'commander';
import { table } from '../output.ts';
import { runPlain } from '../run.ts';
import { settingsOf } from '../settings/apply.ts';
import { readSettings, settingsFile } from '../settings/file.ts';
import type { Resolved, Source } from '../settings/resolve.ts';
import { settingNames } from '../settings/settings.ts';

export function addConfig(program: Command): void {
  program
    .command('config')
    .description('show each setting, its value and where it comes from: command line, variable, file or default')
    .action((_options: unknown, command: Command) =>
      runPlain(command, async () => {
        const file = settingsFile();
        const exists = readSettings(file) !== undefined;
        const found = settingsOf(program, command);
        const rows = settingNames.map((name) => [name, `${found[name].value}`, originText(found[name])]);
        const note = `settings file: ${file}${exists ? '' : ' (does not exist)'}`;
        return {
          text: `${table(['setting', 'value', 'from'], rows)}\n\n${note}`,
          json: { file: { path: file, exists }, settings: found },
        };
      }),
    );
}

const sourceWords = {
  'command-line': 'command line',
  environment: 'variable',
  file: 'file',
  default: 'default',
} as const satisfies { [S in Source]: string };

function originText({ source, where }: Resolved): string {
  return where === undefined ? sourceWords[source] : `${sourceWords[source]}: ${where}`;
}
