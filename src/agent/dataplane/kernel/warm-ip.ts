/** An `ip -batch -` that waits for lines: a line takes 0.2 ms, while starting `ip` takes 2 to 4 ms, more under load. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { VnmError } from '../../../model/errors.ts';
import { cannotRun, environment } from '../../run.ts';
import { kernelWords } from './ip.ts';

/**
 * Runs lines and answers questions. `ip` flushes its output only when asked to show something, so every request ends
 * with a question. It works on one line after the other and ends at the first that fails; the next request starts
 * another.
 */
export class WarmIp {
  #child: ChildProcessWithoutNullStreams | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs the lines, then returns the JSON that the `show` line prints. Throws VnmError `failed`. One request at a time.
   */
  ask(lines: readonly string[], show: string): Promise<unknown[]> {
    const answer = this.#last.then(() => this.#ask(lines.join('') + show));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Starts it ahead of the first request. */
  start(): void {
    this.#child ??= this.#spawn();
  }

  close(): void {
    this.#child?.stdin.end();
  }

  #ask(text: string): Promise<unknown[]> {
    this.start();
    const child = this.#child!;
    return new Promise((resolve, reject) => {
      let stdout = '';
      let stderr = '';
      const onStdout = (chunk: string) => {
        stdout += chunk;
        if (stdout.endsWith('\n')) finish(() => resolve(JSON.parse(stdout)));
      };
      const onStderr = (chunk: string) => {
        stderr += chunk;
      };
      const onClose = () => finish(() => reject(new VnmError('failed', `ip: ${kernelWords(stderr)}`)));
      const onError = (error: Error) => finish(() => reject(cannotRun('ip', error)));
      const finish = (settle: () => void) => {
        child.stdout.off('data', onStdout);
        child.stderr.off('data', onStderr);
        child.off('close', onClose);
        child.off('error', onError);
        settle();
      };
      child.stdout.on('data', onStdout);
      child.stderr.on('data', onStderr);
      child.on('close', onClose);
      child.on('error', onError);
      child.stdin.write(text);
    });
  }

  #spawn(): ChildProcessWithoutNullStreams {
    const child = spawn('ip', ['-json', '-batch', '-'], { env: environment, stdio: 'pipe' });
    child.stdout.setEncoding('utf8');
    child.stderr.setEncoding('utf8');
    // 'close' reports its end.
    child.stdin.on('error', () => {});
    const forget = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on('error', forget);
    child.on('exit', forget);
    return child;
  }
}
