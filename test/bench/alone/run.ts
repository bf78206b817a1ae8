/** Runs tasks in processes of their own, so that each has its own memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Tasks } from './worker.ts';

export interface Alone<T> {
  readonly result: T;
  /** Peak resident memory of the process, MB. */
  readonly peakMb: number;
}

const worker = fileURLToPath(new URL('worker.ts', import.meta.url));

/** Runs a task of worker.ts. Returns undefined if it takes longer than `limitMs`. Throws if it fails. */
export async function runAlone<Name extends keyof Tasks>(
  name: Name,
  options: Parameters<Tasks[Name]>[0],
  limitMs = 3_600_000,
): Promise<Alone<Awaited<ReturnType<Tasks[Name]>>> | undefined> {
  const child = spawn(process.execPath, [worker, name, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const timer = setTimeout(() => child.kill(), limitMs);
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  clearTimeout(timer);
  if (signal === 'SIGTERM') return undefined;
  if (code !== 0) throw new Error(`'${name}' ended with code ${code}`);
  return JSON.parse(output) as Alone<Awaited<ReturnType<Tasks[Name]>>>;
}
