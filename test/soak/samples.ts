import { statSync } from 'node:fs';

/** What the service holds at one moment. */
export interface Sample {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** File descriptors. */
  readonly open: number;
  readonly databaseBytes: number;
}

export async function sampleOf(url: string, database: string): Promise<Sample> {
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

/** Middle value of the first and of the last quarter, what was at the start left out. */
export function growth(samples: readonly Sample[], key: keyof Sample): { early: number; late: number } {
  const settled = samples.slice(Math.ceil(samples.length / 10));
  const quarter = Math.max(1, Math.floor(settled.length / 4));
  const middle = (part: readonly Sample[]) =>
    part.map((sample) => sample[key]).toSorted((a, b) => a - b)[Math.floor(part.length / 2)]!;
  return { early: middle(settled.slice(0, quarter)), late: middle(settled.slice(-quarter)) };
}
