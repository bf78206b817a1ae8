/** Starts a process of the testbed that lives on after the command that made it. */
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
  /** Network namespace it runs in. */
  readonly namespace: string;
  /** Command and arguments. Its first message on the IPC channel says that it is ready. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** File that takes its output. */
  readonly log: string;
  /** An open file that it gets as descriptor 3. */
  readonly descriptor?: number;
}

/** The command that runs a module of this folder, from the sources as well as from the build (src/cli/build.ts). */
export function moduleCommand(name: string, args: readonly string[]): string[] {
  const path = isBuilt ? `dist/testbed/${name}.js` : `src/testbed/${name}.ts`;
  return [process.execPath, packageFile(path), ...args];
}

/** Resolves when it is ready. On an abort, or when it ends before, it is gone for good and this throws. */
export async function startDaemon(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const log = openSync(options.log, 'a', 0o600);
  const given = options.descriptor === undefined ? [] : [options.descriptor];
  const child = spawn('nsenter', [`--net=${namespacePath(options.namespace)}`, '--', ...options.command], {
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
    await Promise.race([once(child, 'message'), once(child, 'exit').then(() => failed(options, signal, stop))]);
    child.disconnect();
    child.unref();
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
