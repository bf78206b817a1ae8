import type { Command } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { consoleLogOf, openConsole } from '../../controller/console.ts';
import { VnmError } from '../../model/errors.ts';
import { alreadyPrinted, globalOptions, runCommand } from '../run.ts';
import { ownTerminal } from '../terminal.ts';
import { vnDescription } from './exec.ts';

const withoutTerminal = 'print what it has written with --log';

export function addConsole(program: Command): void {
  program
    .command('console')
    .description('open the console of a router that is a virtual machine, or print what it has written')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<name>', 'a router of kind image')
    .option('--vn <name>', vnDescription)
    .option('--log', 'print the last part of what the guest has written to its console')
    .addHelpText('after', '\nCtrl-] leaves the console.')
    .action((argument: string, router: string, { vn, log }: { vn?: string; log?: boolean }, command: Command) =>
      runCommand(command, async (context) => {
        const { json } = globalOptions(command);
        const request = { slice: sliceFromArgument(context.store, argument), vn, place: router };
        if (log === true) {
          const text = await consoleLogOf(context, request);
          return { text: text.trimEnd(), json: { text } };
        }
        if (json) throw new VnmError('usage', 'an open console has no JSON', { hint: 'use --log' });
        try {
          const exitCode = await openConsole(context, { ...request, terminal: ownTerminal(withoutTerminal) }, process);
          return { ...alreadyPrinted, exitCode };
        } finally {
          // An open input would keep this process.
          process.stdin.destroy();
        }
      }),
    );
}
