/** What stands between a shell and the program where the machine's Node.js is too old. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const launcher = fileURLToPath(new URL('../support/launcher.mjs', import.meta.url));

/** Launches a program that says when it is ready and then does what `script` says. */
async function launched(script: string) {
  const program = `${script}; process.stdout.write('ready\\n');`;
  const child = spawn(process.execPath, [launcher, '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  return { child, ended, said: () => said };
}

describe('the launcher', () => {
  it('ends with the exit code of the program', async () => {
    const { ended } = await launched('process.exitCode = 6;');
    expect(await ended).toEqual([6, null]);
  });

  it('ends with 128 and the number of the signal that killed the program', async () => {
    const { ended } = await launched("setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20);");
    expect(await ended).toEqual([137, null]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('passes %s on and waits for the program', async (signal) => {
    const script = `
      const timer = setInterval(() => {}, 1000);
      process.once('${signal}', () => { console.log('${signal}'); clearInterval(timer); process.exitCode = 130; process.disconnect(); });`;
    const { child, ended, said } = await launched(script);
    child.kill(signal);
    expect(await ended).toEqual([130, null]);
    expect(said()).toBe(`ready\n${signal}\n`);
  });

  it('that is killed leaves no program alone that looks for it', async () => {
    const script = "process.once('disconnect', () => { console.log('alone'); process.exit(); });";
    const { child, ended, said } = await launched(script);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(said()).toBe('ready\nalone\n');
  });
});
