import { Command } from 'commander';
import { packageVersion } from '../model/package.ts';
import { addAgent } from './commands/agent.ts';
import { addCapture } from './commands/capture.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig } from './commands/config.ts';
import { addConsole } from './commands/console.ts';
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
import { addSettings } from './settings/settings.ts';

/** Builds the command line: all commands with their options. */
export function createProgram(): Command {
  const program = new Command('pl-vnm')
    .description('Moves a running virtual network from one set of hosts to another without its users noticing.')
    .version(packageVersion())
    .showHelpAfterError()
    .exitOverride();
  addSettings(program);

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
    addConsole,
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
    addConfig,
    addCompletion,
  ]) {
    add(program);
  }
  return program;
}
