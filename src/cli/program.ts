import { Command, Option } from 'commander';
import { packageVersion } from '../model/package.ts';
import { addAgent } from './commands/agent.ts';
import { addCapture } from './commands/capture.ts';
import { addCompletion } from './commands/completion.ts';
import { addCounters } from './commands/counters.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExec, addShell } from './commands/exec.ts';
import { addExperiment } from './commands/experiment.ts';
import { addGraph } from './commands/graph.ts';
import { addEvents, addHistory, addShow } from './commands/history.ts';
import { addImport } from './commands/import.ts';
import { addInstall, addUninstall } from './commands/install.ts';
import { addJob } from './commands/job.ts';
import { addMeasure } from './commands/measure.ts';
import { addMigrate } from './commands/migrate.ts';
import { addPing, addTrace } from './commands/ping.ts';
import { addPlan } from './commands/plan.ts';
import { addReconcile } from './commands/reconcile.ts';
import { addResume, addRollback } from './commands/recover.ts';
import { addServe, addToken } from './commands/serve.ts';
import { addStatus } from './commands/status.ts';
import { addTestbed } from './commands/testbed.ts';
import { addSchema, addValidate } from './commands/validate.ts';
import { addVerify } from './commands/verify.ts';

/** Builds the command line: all commands with their options. */
export function createProgram(): Command {
  const program = new Command('pl-vnm')
    .description('Moves a running virtual network from one set of hosts to another without its users noticing.')
    .version(packageVersion())
    .addOption(new Option('--db <file>', 'the database file').env('PL_VNM_DB').default('./pl-vnm.db'))
    .option('--json', 'print one JSON document on stdout and nothing else', false)
    .option('--accept-new-host-keys', 'trust and remember the keys of unknown hosts', false)
    .option('--wait', 'wait while another command works on the same VN or slice', false)
    .option('-v, --verbose', 'print on stderr what is sent to which node, and how long it takes', false)
    .addOption(
      new Option('-q, --quiet', 'print no progress, only results and errors').default(false).conflicts('verbose'),
    )
    .showHelpAfterError()
    .exitOverride();

  for (const add of [
    addDemo,
    addImport,
    addValidate,
    addSchema,
    addTestbed,
    addDoctor,
    addInstall,
    addUninstall,
    addStatus,
    addGraph,
    addVerify,
    addCounters,
    addExec,
    addShell,
    addPing,
    addTrace,
    addCapture,
    addMeasure,
    addPlan,
    addMigrate,
    addReconcile,
    addResume,
    addRollback,
    addHistory,
    addShow,
    addEvents,
    addServe,
    addToken,
    addJob,
    addExperiment,
    addAgent,
    addCompletion,
  ]) {
    add(program);
  }
  return program;
}
