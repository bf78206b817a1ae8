/**
 * Programs of the node that send probes, which Node.js cannot send: a few at a time, and none for longer than its
 * limit.
 */
import { spawn } from 'node:child_process';
import { environment } from '../../run.ts';
import { createTurns } from '../../turns.ts';
import { ownStack } from '../planner/state.ts';

const [atOnce, most] = [8, 4096];
const inTurn = createTurns('probes', atOnce, most);

export interface ProbeProgram {
  /** If absent, the node's own stack. */
  readonly namespace?: string;
  readonly command: string;
  readonly words: readonly string[];
  /** Time from its start; then it is killed. */
  readonly limitMs: number;
}

/**
 * Runs a program. A null code: it does not exist, or was killed, for example because the signal aborted. Throws
 * VnmError `failed` if too many wait.
 */
export async function runProbe(
  program: ProbeProgram,
  signal?: AbortSignal,
): Promise<{ code: number | null; stdout: string }> {
  return inTurn(() => run(program, signal));
}

function run({ namespace = ownStack, command, words, limitMs }: ProbeProgram, signal: AbortSignal | undefined) {
  const inside = namespace === ownStack ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  const [file, ...args] = [...inside, command, ...words];
  return new Promise<{ code: number | null; stdout: string }>((resolve) => {
    if (signal?.aborted) return resolve({ code: null, stdout: '' });
    const child = spawn(file!, args, {
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
      ...(signal === undefined ? {} : { signal }),
    });
    let stdout = '';
    // There is no stdout if this process has no descriptor left for it.
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.on('error', () => resolve({ code: null, stdout }));
    child.on('close', (code) => resolve({ code, stdout }));
  });
}
