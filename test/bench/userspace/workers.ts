/** Starts and calls processes that run worker.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Tasks } from './worker.ts';

type Options<K extends keyof Tasks> = Parameters<Tasks[K]>[0];

export interface Worker {
  call<K extends keyof Tasks>(name: K, options?: Options<K>): Promise<Awaited<ReturnType<Tasks[K]>>>;
  end(): Promise<void>;
}

/** `namespace`: where it runs; needs root. */
export function startWorker(namespace?: string): Worker {
  const program = [process.execPath, fileURLToPath(new URL('worker.ts', import.meta.url))];
  const inside = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  const [command, ...args] = [...inside, ...program];
  const child = spawn(command!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const closed = once(child, 'close');
  return {
    async call(name, options) {
      const answer = once(child, 'message');
      const ended = closed.then(() => Promise.reject(new Error(`a process ended during '${name}'`)));
      child.send({ name, options });
      const [{ result, error }] = await Promise.race([answer, ended]);
      if (error !== undefined) throw new Error(`'${name}' failed: ${error}`);
      return result;
    },
    async end() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
