import { afterEach, expect, it } from 'vitest';
import { type Commands, createCommands } from '../../../src/agent/inside/commands.ts';
import type { CommandEnd } from '../../../src/vsys/messages.ts';

const environment = { PATH: process.env.PATH ?? '' };
const patience = { timeout: 60_000 };

let commands: Commands = createCommands();
afterEach(() => {
  commands.closeAll();
  commands = createCommands();
});

const run = (script: string, ended?: AbortSignal) => commands.start(['sh', '-c', script], environment, ended);

async function readAll(id: string): Promise<CommandEnd & { stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  for (;;) {
    const said = await commands.read({ id });
    stdout += Buffer.from(said.stdout, 'base64').toString();
    stderr += Buffer.from(said.stderr, 'base64').toString();
    if (said.ended !== undefined) return { ...said.ended, stdout, stderr };
  }
}

/** Reads until the command has printed a line, and returns it. */
async function lineOf(id: string): Promise<string> {
  let text = '';
  while (!text.includes('\n')) text += Buffer.from((await commands.read({ id })).stdout, 'base64').toString();
  return text.trim();
}

function isAlive(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

it('what a command prints arrives before its end, and then its id is forgotten', async () => {
  const { id } = await run('echo out; echo err >&2; exit 3');
  expect(await readAll(id)).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' });
  await expect(commands.read({ id })).rejects.toMatchObject({ code: 'not-found' });
});

it('a command waits until it is read, and nothing of its output is lost', async () => {
  const { id } = await run('head -c 5000000 /dev/zero; echo >&2 done');
  // Only what the agent keeps, and what the pipe takes.
  const first = await commands.read({ id });
  expect(first.ended).toBeUndefined();
  const rest = await readAll(id);
  expect(Buffer.from(first.stdout, 'base64').length + rest.stdout.length).toBe(5_000_000);
  expect(rest.stderr).toBe('done\n');
});

it('input that a command does not read is not accepted, and later it is', async () => {
  const { id } = await run('read go; cat | wc -c');
  const data = Buffer.from(`go\n${'x'.repeat(200_000)}`).toString('base64');
  const { id: stuck } = await run('sleep 1000');
  const answers = [];
  for (let turn = 0; turn < 3; turn += 1) answers.push(await commands.write({ id: stuck, data, end: false }));
  expect(answers.at(-1)).toEqual({ accepted: false, open: true });
  await commands.signal({ id: stuck, signal: 'KILL' });
  expect(await readAll(stuck)).toMatchObject({ code: null, signal: 'KILL' });
  expect(await commands.write({ id, data, end: true })).toEqual({ accepted: true, open: false });
  expect((await readAll(id)).stdout.trim()).toBe('200000');
});

it('a signal reaches what a command started, too', async () => {
  const { id } = await run('sleep 1000 & echo $!; wait');
  const child = await lineOf(id);
  await commands.signal({ id, signal: 'TERM' });
  expect(await readAll(id)).toMatchObject({ code: null, signal: 'TERM' });
  await expect.poll(() => isAlive(child), patience).toBe(false);
});

it('what a command leaves behind ends with it', async () => {
  const { id } = await run('setsid sleep 1000 & echo $!');
  const child = await lineOf(id);
  expect(await readAll(id)).toMatchObject({ code: 0 });
  await expect.poll(() => isAlive(child), patience).toBe(false);
});

it('a command ends with its channel, even if it ignores the first signal', async () => {
  const channel = new AbortController();
  const { id } = await run('trap "" TERM; echo $$; while :; do sleep 0.1; done', channel.signal);
  const pid = await lineOf(id);
  channel.abort();
  await expect.poll(() => isAlive(pid), patience).toBe(false);
  await expect(commands.read({ id })).rejects.toMatchObject({ code: 'not-found' });
});

it('a command of a channel that has ended meanwhile does not stay', async () => {
  const { id } = await run('sleep 1000', AbortSignal.abort());
  await expect(commands.read({ id })).rejects.toMatchObject({ code: 'not-found' });
});

it('too many commands are refused', async () => {
  for (let count = 0; count < 16; count += 1) await run('sleep 1000');
  await expect(run('true')).rejects.toMatchObject({
    code: 'conflict',
    message: '16 commands of the slice run on this node',
  });
});

it('what cannot be started is an error', async () => {
  await expect(commands.start(['/no/such/program'], environment)).rejects.toMatchObject({ code: 'unsupported' });
  const much = ['true', ...Array.from({ length: 200 }, () => 'x'.repeat(100_000))];
  await expect(commands.start(much, environment)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('E2BIG'),
  });
});
