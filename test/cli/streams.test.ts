/** A lost output ends no command; tested with separate processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';

const streams = new URL('../../src/cli/streams.ts', import.meta.url);
/** Long enough for a busy machine. */
const patience = { timeout: 60_000, interval: 20 };

/** Runs a program that prints to both outputs for a while. Returns its exit code and stderr. */
async function run(stdout: 'pipe' | number, more = '') {
  const script = `
    import { surviveLostOutputs, outputLost } from '${streams}';
    import { setTimeout as sleep } from 'node:timers/promises';
    surviveLostOutputs();
    const print = () => { process.stdout.write('x'.repeat(10000)); process.stderr.write('~'); };
    print();
    ${more}
    for (let k = 0; k < 20; k += 1) { await sleep(10); print(); }
    process.stderr.write(outputLost.aborted ? 'lost' : 'kept');`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.once('data', () => child.stdout!.destroy());
  const [code] = await once(child, 'close');
  return { code, stderr: stderr.replaceAll('~', '') };
}

test('a command continues without an error when its reader closes the pipe', async () => {
  expect(await run('pipe')).toEqual({ code: 0, stderr: 'lost' });
});

test.runIf(process.platform === 'linux')('a full disk is reported once, and in the exit code', async () => {
  const message = 'pl-vnm: cannot write the output: ENOSPC: no space left on device, write\n';
  expect(await run(openSync('/dev/full', 'w'))).toEqual({ code: 1, stderr: `${message}lost` });
  const failed = await run(openSync('/dev/full', 'w'), 'process.exitCode = 6;');
  expect(failed).toEqual({ code: 6, stderr: `${message}lost` });
});

test.runIf(process.platform === 'linux')(
  'a stopped terminal (Ctrl-S) neither stops the program nor loses output',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-terminal-'));
    const [program, written, enough] = ['program.mjs', 'written', 'enough'].map((name) => join(directory, name));
    writeFileSync(
      program!,
      `import { appendFileSync, existsSync } from 'node:fs';
    import { surviveLostOutputs } from '${streams}';
    surviveLostOutputs();
    const timer = setInterval(() => {
      process.stderr.write('.');
      appendFileSync('${written}', '.');
      if (existsSync('${enough}')) clearInterval(timer);
    }, 10);`,
    );
    // `script` gives the program a terminal, and passes its own stdin on as typed input.
    const terminal = spawn('script', ['-qfec', `exec '${process.execPath}' '${program}'`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(terminal, 'close');
    let printed = '';
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    const ahead = () => readFileSync(written!).length - printed.length;
    try {
      await vi.waitFor(() => expect(printed).not.toBe(''), patience);
      terminal.stdin.write('\x13');
      await vi.waitFor(() => expect(ahead()).toBeGreaterThan(50), patience);
      writeFileSync(enough!, '');
      terminal.stdin.write('\x11');
      await ended;
      expect(ahead()).toBe(0);
    } finally {
      terminal.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    }
  },
);
