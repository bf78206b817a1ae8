import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testbedDown } from '../../src/testbed/down.ts';
import { testbedStatus } from '../../src/testbed/status.ts';
import { testbedUp } from '../../src/testbed/up.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { leftovers } from './leftovers.ts';
import { sliceOf, uniqueId } from './support.ts';

const upAlone = fileURLToPath(new URL('up-alone.ts', import.meta.url));
const slices = [sliceOf(['a', 'b', 'c'], [['a', 'b', 5]])];

describeAsRoot('an interrupted up', () => {
  let parent: string;
  let options: { id: string; directory: string; server: 'embedded' };
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'testbed-'));
    options = { id: uniqueId(), directory: join(parent, 'testbed'), server: 'embedded' };
  });
  afterEach(async () => {
    await testbedDown(options);
    await rm(parent, { recursive: true });
  });

  // From the first namespace to the record, which is written last.
  const moments: [number, number][] = [
    [1, 0],
    [1, 15],
    [1, 30],
    [2, 0],
    [2, 50],
    [2, 100],
    [2, 200],
    [3, 0],
  ];

  test.each(moments)('down removes everything of an up killed at line %i and %i ms later', async (line, laterMs) => {
    await killUpAt(line, laterMs);
    await testbedDown({ id: options.id, directory: options.directory });
    expect(leftovers(options)).toEqual([]);
  });

  test('the next up repeats an interrupted one', async () => {
    await killUpAt(2, 50);
    expect((await testbedStatus(await testbedUp(slices, options))).alive).toBe(true);
  });

  test.each([1, 2])('an up that its signal aborts at step %i cleans up after itself', async (step) => {
    const abort = new AbortController();
    let steps = 0;
    const onProgress = () => {
      steps += 1;
      if (steps === step) setImmediate(() => abort.abort());
    };
    await expect(testbedUp(slices, { ...options, onProgress, signal: abort.signal })).rejects.toMatchObject({
      code: 'interrupted',
      message: `testbed '${options.id}' was interrupted and taken down`,
    });
    expect(leftovers(options)).toEqual([]);
  });

  async function killUpAt(line: number, laterMs: number): Promise<void> {
    const child = spawn(process.execPath, [upAlone, options.id, options.directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let lines = 0;
    for await (const _ of createInterface(child.stdout)) {
      lines += 1;
      if (lines === line) break;
    }
    await sleep(laterMs);
    child.kill('SIGKILL');
    await exited;
  }
});
