import { spawn } from 'node:child_process';
import { VnmError } from '../model/errors.ts';

export interface Finished {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The environment of commands: untranslated messages, and the administrator's directories, which a login's search path
 * may lack.
 */
export const environment = {
  ...process.env,
  LC_ALL: 'C',
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`,
};

/** Runs a command by its argument vector; no shell. Throws VnmError `unsupported` when the node does not have it. */
export async function run(command: string, args: readonly string[], stdin = ''): Promise<Finished> {
  const { stdout, ...finished } = await runForBytes(command, args, stdin);
  return { ...finished, stdout: stdout.toString() };
}

/** As `run`, for output that is not text. */
export function runForBytes(
  command: string,
  args: readonly string[],
  stdin = '',
): Promise<Omit<Finished, 'stdout'> & { readonly stdout: Buffer }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: environment, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => reject(cannotRun(command, error)));
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
    // A command that fails early does not read the rest; its exit code shows that.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}

export function cannotRun(command: string, error: Error): VnmError {
  return new VnmError('unsupported', `cannot run '${command}': ${error.message}`, {
    hint: 'install iproute2 and util-linux on the node',
    cause: error,
  });
}
