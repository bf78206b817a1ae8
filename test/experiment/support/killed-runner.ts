/**
 * Carries out made-up runs of a result folder, for a test that kills it: `killed-runner.ts FOLDER [PAUSE_MS]`. A run
 * takes about as long as the pause, and writes some files.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFolder } from '../../../src/experiment/results/folder.ts';
import { lockFolder } from '../../../src/experiment/results/lock.ts';
import { carryOutAll, fakeExecute } from './runs.ts';

const [path, pauseMs = '0'] = process.argv.slice(2);
const folder = openFolder(path!);
const unlock = lockFolder(folder.path);
const execute = fakeExecute(folder);
await carryOutAll(folder, async (planned, directory, signal) => {
  const found = await execute(planned, directory, signal);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(directory, 'raw', name), name.repeat(10_000));
  await sleep(Number(pauseMs));
  return found;
});
unlock();
