import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Arguments for Node.js that make SIGUSR2 collect garbage. Otherwise the engine lets the heap grow. */
export const collecting = ['--expose-gc', '--import', "data:text/javascript,process.on('SIGUSR2', () => gc())"];

const collectMs = 500;

/** The resources that the service uses at one moment. */
export interface Sample {
  readonly rssBytes: number;
  /** The heap after garbage collection. */
  readonly heapBytes: number;
  /** The number of open file descriptors. */
  readonly open: number;
  readonly databaseBytes: number;
}

/** Takes a sample of a service that was started with `collecting`. */
export async function sampleOf(service: ChildProcess, url: string, database: string): Promise<Sample> {
  service.kill('SIGUSR2');
  await sleep(collectMs);
  const text = await (await fetch(`${url}/metrics`)).text();
  return {
    rssBytes: metric(text, 'process_resident_memory_bytes'),
    heapBytes: metric(text, 'nodejs_heap_size_used_bytes'),
    open: metric(text, 'process_open_fds'),
    databaseBytes: statSync(database).size,
  };
}

function metric(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  if (line === undefined) throw new Error(`there is no metric ${name}`);
  return Number(line.split(' ')[1]);
}

/** Returns the medians of the four quarters, without the start. */
export function quarters(samples: readonly Sample[], key: keyof Sample): number[] {
  const settled = samples.slice(Math.ceil(samples.length / 10));
  const parts = [0, 1, 2, 3].map((part) =>
    settled.slice(Math.floor((part * settled.length) / 4), Math.floor(((part + 1) * settled.length) / 4)),
  );
  if (settled.length < parts.length) throw new Error(`${samples.length} samples are too few for quarters`);
  return parts.map((part) => part.map((sample) => sample[key]).toSorted((a, b) => a - b)[part.length >> 1]!);
}
