/** Runs the system's tools; arguments are vectors, and no shell sees them. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { VnmError } from '../model/errors.ts';

/** Runs a command with `input` as its standard input. Throws VnmError `failed` with what it wrote to standard error. */
export async function run(command: string, args: readonly string[], input = ''): Promise<void> {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  // A command that ends without reading its input says why on standard error.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [status, complaint] = await Promise.all([ended, text(child.stderr)]);
  if (status !== 0) {
    throw new VnmError(
      'failed',
      `'${[command, ...args].join(' ')}' ended with ${status}: ${explain(complaint, input)}`,
    );
  }
}

/** Adds the text of the failed line: `ip -batch` gives only its number. */
function explain(complaint: string, input: string): string {
  const line = /Command failed -:(\d+)/.exec(complaint)?.[1];
  const command = line === undefined ? undefined : input.split('\n')[Number(line) - 1];
  return complaint.trim().replaceAll('\n', '; ') + (command === undefined ? '' : ` ('${command}')`);
}
