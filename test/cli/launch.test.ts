/** The launcher runs between a shell and the program if the machine's Node.js is too old. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const launcher = fileURLToPath(new URL('../support/launcher.mjs', import.meta.url));

/** Launches a program that runs `script` and prints when it is ready. */
async function launched(script: string) {
  const program = `${script}; process.stdout.write('ready\\n');`;
  const child = spawn(process.execPath, [launcher, '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  return { child, ended, output: () => output };
}

describe('the launcher', () => {
  it('the launcher exits with the exit code of the program', async () => {
    const { ended } = await launched('process.exitCode = 6;');
    expect(await ended).toEqual([6, null]);
  });

  it('the launcher exits with 128 plus the number of the signal that killed the program', async () => {
    const { ended } = await launched("setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20);");
    expect(await ended).toEqual([137, null]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'the launcher passes %s on and waits for the program',
    async (signal) => {
      const script = `
      const timer = setInterval(() => {}, 1000);
      process.once('${signal}', () => { console.log('${signal}'); clearInterval(timer); process.exitCode = 130; process.disconnect(); });`;
      const { child, ended, output } = await launched(script);
      child.kill(signal);
      expect(await ended).toEqual([130, null]);
      expect(output()).toBe(`ready\n${signal}\n`);
    },
  );

  it('a program notices that its launcher was killed', async () => {
    const script = "process.once('disconnect', () => { console.log('alone'); process.exit(); });";
    const { child, ended, output } = await launched(script);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(output()).toBe('ready\nalone\n');
  });
});
