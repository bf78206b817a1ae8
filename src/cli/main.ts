import { CommanderError } from 'commander';
import { errorJson, VnmError } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { leave } from './leave.ts';
import { createProgram } from './program.ts';
import type { GlobalOptions } from './run.ts';
import { outliveOutputs } from './streams.ts';
import { suggestOnErrors } from './suggest.ts';

outliveOutputs();
const program = createProgram();
const suggestion = suggestOnErrors(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  // Commander has printed what is wrong, for people; help and version are no errors.
  if (error.exitCode !== 0 && program.opts<GlobalOptions>().json) {
    const said = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
    const { message, hint } = suggestion() ?? { message: said, hint: undefined };
    process.stdout.write(`${JSON.stringify(errorJson(new VnmError('usage', message, { hint })), null, 2)}\n`);
  }
}
leave((kept) => {
  if (program.opts<GlobalOptions>().verbose) process.stderr.write(`    the program was kept by ${kept}\n`);
});
