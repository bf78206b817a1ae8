/** Starts a process of the testbed that outlives the command that started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { VnmError } from '../model/errors.ts';
import { isBuilt, packageFile } from '../model/package.ts';
import { namespacePath } from './namespaces.ts';

/** Far longer than a start takes, even on a busy machine. */
const patienceMs = 30_000;

export interface DaemonOptions {
  /** Network namespace in which it runs. */
  readonly namespace?: string;
  /** Command and arguments. The process sends its first message on the IPC channel when it is ready. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** File for its output. */
  readonly log: string;
  /** An open file that it gets as descriptor 3. */
  readonly descriptor?: number;
}

/** Returns the command that runs a module of this folder, from the sources or from the build (src/cli/build.ts). */
export function moduleCommand(name: string, args: readonly string[]): string[] {
  const path = isBuilt ? `dist/testbed/${name}.js` : `src/testbed/${name}.ts`;
  return [process.execPath, packageFile(path), ...args];
}

/** Resolves when the process is ready. If it is aborted or ends before that, the process is gone and this throws. */
export async function startDaemon(options: DaemonOptions, signal: AbortSignal): Promise<unknown> {
  const log = openSync(options.log, 'a', 0o600);
  const given = options.descriptor === undefined ? [] : [options.descriptor];
  const inside = options.namespace === undefined ? [] : ['nsenter', `--net=${namespacePath(options.namespace)}`, '--'];
  const [program, ...args] = [...inside, ...options.command] as [string, ...string[]];
  const child = spawn(program, args, {
    stdio: ['ignore', log, log, ...given, 'ipc'],
    detached: true,
    env: options.env,
    cwd: options.cwd,
  });
  closeSync(log);
  const stop = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const kill = () => child.kill('SIGKILL');
  stop.addEventListener('abort', kill);
  try {
    if (stop.aborted) kill();
    const exit = once(child, 'exit').then(() => failed(options, signal, stop));
    const [message] = await Promise.race([once(child, 'message'), exit]);
    child.disconnect();
    child.unref();
    return message;
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

async function failed(options: DaemonOptions, signal: AbortSignal, stop: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  const what = `'${options.command.join(' ')}'`;
  if (stop.aborted) throw new VnmError('failed', `${what} was not ready after ${patienceMs / 1000} s`);
  const written = (await readFile(options.log, 'utf8')).trim().split('\n').slice(-20).join('\n');
  throw new VnmError('failed', `${what} ended before it was ready: ${written}`);
}
