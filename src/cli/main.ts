import { Command, CommanderError, Option } from 'commander';
import { errorJson, VnmError } from '../model/errors.ts';
import { addAgent } from './commands/agent.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor.ts';
import { addInstall, addUninstall } from './commands/install.ts';
import { addJob } from './commands/job.ts';
import { addMeasure } from './commands/measure.ts';
import { addMigrate } from './commands/migrate.ts';
import { addPlan } from './commands/plan.ts';
import { addReconcile } from './commands/reconcile.ts';
import { addResume, addRollback } from './commands/recover.ts';
import { addServe } from './commands/serve.ts';
import { addStatus } from './commands/status.ts';
import { addTestbed } from './commands/testbed.ts';
import { addSchema, addValidate } from './commands/validate.ts';
import { addVerify } from './commands/verify.ts';
import type { GlobalOptions } from './run.ts';
import { version } from './version.ts';

const program = new Command('pl-vnm')
  .description('Moves a running virtual network from one set of hosts to another without its users noticing.')
  .version(version)
  .addOption(new Option('--db <file>', 'the database').env('PL_VNM_DB').default('./pl-vnm.db'))
  .option('--json', 'one JSON document on stdout and nothing else', false)
  .option('--accept-new-host-keys', 'trust hosts whose key is not known yet, and remember it', false)
  .option('--wait', 'when another command works on the same VN or slice, wait for it to end', false)
  .showHelpAfterError()
  .exitOverride();

for (const add of [
  addDemo,
  addValidate,
  addSchema,
  addTestbed,
  addDoctor,
  addInstall,
  addUninstall,
  addStatus,
  addVerify,
  addMeasure,
  addPlan,
  addMigrate,
  addReconcile,
  addResume,
  addRollback,
  addServe,
  addJob,
  addAgent,
]) {
  add(program);
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
  // Commander has printed what is wrong, for people; help and version are no errors.
  if (error.exitCode !== 0 && program.opts<GlobalOptions>().json) {
    const message = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
    process.stdout.write(`${JSON.stringify(errorJson(new VnmError('usage', message)), null, 2)}\n`);
  }
}
