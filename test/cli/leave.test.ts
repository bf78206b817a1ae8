/** The end of the program, tested with separate processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

const module = new URL('../../src/cli/leave.ts', import.meta.url);

function start(body: string) {
  const script = `
    import { createServer } from 'node:net';
    import { exitAfterCommand } from '${module}';
    process.exitCode = 6;
    ${body}
    exitAfterCommand((resources) => process.stderr.write(resources), 100);`;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('the process waits only a while for open resources, and reports them', async () => {
  const child = start("createServer().listen(0, '127.0.0.1');");
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  expect(code).toBe(6);
  expect(stderr).toContain('TCPServerWrap');
});

test('the process ends immediately and silently if nothing is open', async () => {
  const child = start('');
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  expect({ code, stderr }).toEqual({ code: 6, stderr: '' });
});

test('the process ends by an exit of its own, which does not wait until Node.js has closed everything', async () => {
  const child = start(`
    const leave = process.reallyExit;
    process.reallyExit = (code) => {
      process.stderr.write('left');
      leave.call(process, code);
    };`);
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  expect({ code, stderr }).toEqual({ code: 6, stderr: 'left' });
});

test('the process prints all pending output before it ends', async () => {
  const child = start("createServer().listen(0, '127.0.0.1'); process.stdout.write('x'.repeat(10_000_000));");
  const ended = once(child, 'exit');
  // Longer than the process would stay without pending output.
  await sleep(1000);
  expect(child.exitCode).toBeNull();
  expect((await text(child.stdout)).length).toBe(10_000_000);
  expect(await ended).toEqual([6, null]);
});
