import { CommanderError } from 'commander';
import { errorJson, VnmError } from '../model/errors.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { exitAfterCommand } from './leave.ts';
import { createProgram } from './program.ts';
import { printError } from './run.ts';
import { applySettings, wantsJson } from './settings/apply.ts';
import type { GlobalOptions } from './settings/settings.ts';
import { surviveLostOutputs } from './streams.ts';
import { suggestOnErrors } from './suggest.ts';

surviveLostOutputs();
const program = createProgram();
program.hook('preAction', applySettings);
const suggestion = suggestOnErrors(program);

try {
  await program.parseAsync();
} catch (error) {
  // A variable or the settings file has faults.
  if (error instanceof VnmError) printError({ ...program.opts<GlobalOptions>(), json: wantsJson(program) }, error);
  else if (error instanceof CommanderError) reportUsage(error);
  else throw error;
}
exitAfterCommand((resources) => {
  if (program.opts<GlobalOptions>().verbose) process.stderr.write(`    exiting with open resources: ${resources}\n`);
});

function reportUsage(error: CommanderError): void {
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  // Commander has already printed the error as text; help and version are not errors.
  if (error.exitCode === 0 || !wantsJson(program)) return;
  const text = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
  const { message, hint } = suggestion() ?? { message: text, hint: undefined };
  process.stdout.write(`${JSON.stringify(errorJson(new VnmError('usage', message, { hint })), null, 2)}\n`);
}
