/** How the program ends: tried with programs of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

const module = new URL('../../src/cli/leave.ts', import.meta.url);

function start(body: string) {
  const script = `
    import { createServer } from 'node:net';
    import { leave } from '${module}';
    process.exitCode = 6;
    ${body}
    leave((kept) => process.stderr.write(kept), 100);`;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('the process waits only a while for what was left open, and reports it', async () => {
  const child = start("createServer().listen(0, '127.0.0.1');");
  const [[code], told] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  expect(code).toBe(6);
  expect(told).toContain('TCPServerWrap');
});

test('where nothing was left open it ends at once, and tells nothing', async () => {
  const child = start('');
  const [[code], told] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  expect({ code, told }).toEqual({ code: 6, told: '' });
});

test('what waits to be printed is printed', async () => {
  const child = start("createServer().listen(0, '127.0.0.1'); process.stdout.write('x'.repeat(10_000_000));");
  const ended = once(child, 'exit');
  // Longer than it would stay with nothing to print.
  await sleep(1000);
  expect(child.exitCode).toBeNull();
  expect((await text(child.stdout)).length).toBe(10_000_000);
  expect(await ended).toEqual([6, null]);
});
