/**
 * The floor of an armed redirection: the lines of the same redirection, given in a tight loop to an `ip` that waits for
 * them, without an agent, with the priority that an agent has. Runs in the gateway's namespace as a process of its own.
 * Gateways that redirect at one instant also have a floor for that: their processes begin each round at the same
 * moment.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readNexthops, redirectLines } from '../../src/agent/dataplane/kernel/redirect.ts';
import { WarmIp } from '../../src/agent/dataplane/kernel/warm-ip.ts';
import { WarmTool } from '../../src/agent/dataplane/kernel/warm-tool.ts';
import type { Redirections } from '../../src/agent/dataplane/planner/redirected-groups.ts';
import { makeThisThreadRealtime, threadPriority } from '../../src/agent/realtime.ts';
import { quantile } from './harness.ts';

const run = promisify(execFile);

/** `tight`: each redirection follows the one before; `one instant`: at the same moments in all processes. */
export type Pace = 'tight' | 'one instant';

/** The time between two moments, in nanoseconds of the monotonic clock, which all processes share. */
const betweenNs = 5_000_000n;

/** As in an agent: a wait may end this late, and the rest is spent spinning. */
const spinNs = 500_000n;

/**
 * Returns how many ms each of `count` redirections took, in turn to each of the alternatives. `netns`: the path of the
 * namespace with the groups. Runs while this process waits for it.
 */
export async function measureFloor(
  netns: string,
  alternatives: readonly Redirections[],
  count: number,
  pace: Pace = 'tight',
): Promise<readonly number[]> {
  const words = [fileURLToPath(import.meta.url), JSON.stringify({ alternatives, count, pace })];
  const { stdout } = await run('nsenter', [`--net=${netns}`, process.execPath, ...words], { maxBuffer: 1e8 });
  return JSON.parse(stdout) as number[];
}

export const floorHeading = ['floor: median ms', 'p99 ms', 'ratio: median', 'p99'];

/** The floor's figures, and how many times longer the redirections took. */
export function besideFloor(tookMs: readonly number[], floor: readonly number[] | undefined): string[] {
  if (floor === undefined) return floorHeading.map(() => '-');
  const quantiles = [0.5, 0.99];
  const floors = quantiles.map((q) => quantile(floor, q));
  const ratios = quantiles.map((q, index) => quantile(tookMs, q) / floors[index]!);
  return [...floors.map((ms) => ms.toFixed(3)), ...ratios.map((ratio) => ratio.toFixed(2))];
}

/** Waits until the next moment, and returns it in ms of `performance.now()`. */
function nextMoment(): number {
  const now = process.hrtime.bigint();
  const moment = (now / betweenNs + 1n) * betweenNs;
  const restMs = Number(moment - now) / 1e6;
  const momentMs = performance.now() + restMs;
  const sleepMs = restMs - Number(spinNs) / 1e6;
  if (sleepMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, sleepMs);
  while (process.hrtime.bigint() < moment);
  return momentMs;
}

async function loop(alternatives: readonly Redirections[], count: number, pace: Pace): Promise<number[]> {
  const warm = new WarmIp();
  const nexthops = await readNexthops(warm);
  warm.close();
  const lines = alternatives.map((groups) => redirectLines(nexthops, groups));
  const tool = new WarmTool('ip', new Int32Array(new SharedArrayBuffer(8)));
  makeThisThreadRealtime(threadPriority);
  tool.work([]);
  return Array.from({ length: count }, (_, index) => {
    const beganAtMs = pace === 'tight' ? performance.now() : nextMoment();
    const error = tool.work(lines[index % lines.length]!);
    if (error !== undefined) throw new Error(error);
    return performance.now() - beganAtMs;
  });
}

if (import.meta.main) {
  const given = JSON.parse(process.argv[2]!) as { alternatives: Redirections[]; count: number; pace: Pace };
  console.log(JSON.stringify(await loop(given.alternatives, given.count, given.pace)));
  process.exit();
}
