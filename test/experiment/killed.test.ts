/** An experiment survives being killed at any point. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomOf } from '../../src/experiment/random.ts';
import type { ResultFolder } from '../../src/experiment/results/folder.ts';
import { compiled } from '../support/command-line.ts';
import { changed, newFolder, temporaryResults } from './support/files.ts';
import { begunIn, carryOutAll } from './support/runs.ts';

const source = fileURLToPath(new URL('support/killed-runner.ts', import.meta.url));
/** The runner as one file, which starts in a fraction of the time. */
const runner = fileURLToPath(new URL(`../../node_modules/.cache/killed-runner-${process.pid}.mjs`, import.meta.url));
beforeAll(async () => {
  const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
  await build({ entryPoints: [source], outfile: runner, ...options });
});
afterAll(() => rmSync(runner));

const kills = 20;
const text = changed('repetitions: 3', 'repetitions: 100');
const runs = 400;

const start = ({ path }: ResultFolder, pauseMs: number): ChildProcess =>
  spawn(process.execPath, [runner, path, String(pauseMs)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  });

const begunSoFar = (folder: ResultFolder) => (existsSync(join(folder.path, 'begun')) ? begunIn(folder).length : 0);

it('after 20 times SIGKILL at random points, the schedule is the same and every run is there once', async () => {
  const random = randomOf(20261130);
  const folder = await newFolder(temporaryResults(), text);
  const schedule = readFileSync(join(folder.path, 'schedule.csv'), 'utf8');
  for (let kill = 0; kill < kills; kill += 1) {
    const before = begunSoFar(folder);
    const child = start(folder, 2);
    // It works for a random time, in which some runs begin; where in a run it is killed is random, too.
    const ahead = Math.floor(random() * 12);
    while (child.exitCode === null && begunSoFar(folder) <= before + ahead) await sleep(1);
    await sleep(random() * 6);
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const [code] = (await once(start(folder, 0), 'exit')) as [number];
  expect(code).toBe(0);

  expect(readFileSync(join(folder.path, 'schedule.csv'), 'utf8')).toBe(schedule);
  const names = Array.from({ length: runs }, (_, index) => String(index + 1).padStart(4, '0'));
  expect(readdirSync(join(folder.path, 'runs')).toSorted()).toEqual(names);
  const begun = begunIn(folder);
  // In the order of the schedule; a run that was begun twice was half-done when the process was killed.
  const again = begun.filter((run, index) => run === begun[index - 1]);
  expect(again.length).toBeLessThanOrEqual(kills);
  expect(again.length).toBeGreaterThan(0);
  expect(begun.filter((run, index) => run !== begun[index - 1])).toEqual(names.map(Number));
  // Nothing of a half-done run is left in the tables: they are those of an experiment that was never killed.
  const other = await newFolder(temporaryResults(), text);
  await carryOutAll(other);
  for (const name of ['samples.csv', 'summary.csv']) {
    expect(readFileSync(join(folder.path, name), 'utf8')).toBe(readFileSync(join(other.path, name), 'utf8'));
  }
});
