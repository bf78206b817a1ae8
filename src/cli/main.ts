import { CommanderError } from 'commander';
import { errorJson, VnmError } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { exitAfterCommand } from './leave.ts';
import { createProgram } from './program.ts';
import type { GlobalOptions } from './run.ts';
import { surviveLostOutputs } from './streams.ts';
import { suggestOnErrors } from './suggest.ts';

surviveLostOutputs();
const program = createProgram();
const suggestion = suggestOnErrors(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  // Commander has already printed the error as text; help and version are not errors.
  if (error.exitCode !== 0 && program.opts<GlobalOptions>().json) {
    const text = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
    const { message, hint } = suggestion() ?? { message: text, hint: undefined };
    process.stdout.write(`${JSON.stringify(errorJson(new VnmError('usage', message, { hint })), null, 2)}\n`);
  }
}
exitAfterCommand((resources) => {
  if (program.opts<GlobalOptions>().verbose) process.stderr.write(`    exiting with open resources: ${resources}\n`);
});
