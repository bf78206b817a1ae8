/** Tests programs that send probes, replaced by programs that do what a test needs. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runProbe } from '../../src/agent/dataplane/kernel/probe-program.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-probes-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Shows that it runs by a file with its process id, until the file is removed. */
const waits = [
  '-e',
  'open(my $f, ">", "$ARGV[0]/$$"); close $f; select(undef, undef, undef, 0.01) while -e "$ARGV[0]/$$"',
];
const waiting = (signal?: AbortSignal, limitMs = 60_000) =>
  runProbe({ command: 'perl', words: [...waits, directory], limitMs }, signal);
const running = () => readdirSync(directory);
async function until(count: number): Promise<string[]> {
  while (running().length < count) await sleep(5);
  return running();
}
const isAlive = (pid: string) => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

it('runProbe runs eight programs at once, for all callers', async () => {
  const programs = Array.from({ length: 12 }, () => waiting());
  const first = await until(8);
  await sleep(100);
  expect(running()).toHaveLength(8);
  rmSync(join(directory, first[0]!));
  while (running().every((pid) => first.includes(pid))) await sleep(5);
  const all = Promise.all(programs);
  let isOver = false;
  void all.then(() => {
    isOver = true;
  });
  while (!isOver) {
    for (const pid of running()) rmSync(join(directory, pid));
    await sleep(5);
  }
  expect((await all).map(({ code }) => code)).toEqual(Array.from({ length: 12 }, () => 0));
});

it('runProbe ends a program when no caller waits any more, and then starts none', async () => {
  const ended = new AbortController();
  const program = waiting(ended.signal);
  const [pid] = await until(1);
  ended.abort();
  expect((await program).code).toBe(null);
  while (isAlive(pid!)) await sleep(5);
  expect(await waiting(ended.signal)).toEqual({ code: null, stdout: '' });
  expect(running()).toEqual([pid]);
});

it('runProbe kills a program that takes longer than its limit', async () => {
  expect((await waiting(undefined, 300)).code).toBe(null);
});

it('runProbe returns what a program printed', async () => {
  writeFileSync(join(directory, 'text'), 'a b\n');
  const words = ['-pe', '1', join(directory, 'text')];
  expect(await runProbe({ command: 'perl', words, limitMs: 60_000 })).toEqual({ code: 0, stdout: 'a b\n' });
  expect(await runProbe({ command: 'pl-vnm-no-program', words: [], limitMs: 60_000 })).toMatchObject({ code: null });
});
