/** Tests `attach` between a fake client and a fake agent: it ends when either of them does, however that happens. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';

let directory: string;
let server: Server | undefined;
const children: ChildProcessWithoutNullStreams[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-attach-'));
  mkdirSync(join(directory, 'run'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

/** The agent's end of the next connection. */
async function playAgent(): Promise<Socket> {
  server = createServer({ pauseOnConnect: true });
  server.listen(join(directory, 'run', 'demo.sock'));
  const [socket] = await once(server, 'connection');
  return socket as Socket;
}

function attach(environment: NodeJS.ProcessEnv = {}) {
  const words = [join(import.meta.dirname, '../../src/agent/main.ts'), 'attach', '--slice', 'demo'];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...environment, PL_VNM_DIR: directory },
    stdio: 'pipe',
  });
  children.push(child);
  child.stderr.resume();
  child.stdin.on('error', () => {});
  return { child, ended: once(child, 'exit').then(([code]) => code as number | null) };
}

it('attach ends when the agent resets the connection with unread data, although its input stays open', async () => {
  const connected = playAgent();
  const { child, ended } = attach();
  const agent = await await connected;
  child.stdin.write('something that the agent never reads');
  await sleep(200);
  // The kernel then reports a reset to the other end, not an end.
  agent.destroy();
  expect(await ended).toBe(0);
});

it('attach ends when the client has closed its end and the agent does not answer', async () => {
  const connected = playAgent();
  const { child, ended } = attach();
  await await connected;
  child.stdin.end();
  expect(await ended).toBe(0);
});

it('attach delivers what the agent sent before it ended', async () => {
  const connected = playAgent();
  const { child, ended } = attach();
  const agent = await await connected;
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  agent.end(Buffer.alloc(1_000_000, 'x'));
  expect(await ended).toBe(0);
  expect(Buffer.concat(said).length).toBe(1_000_000);
});

it('attach starts an agent even for a client that has closed its end at once, as an installation does', async () => {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  // Replaces the lock and the agent.
  const agent = `const server = require('node:net').createServer((client) => {
    client.resume().on('end', () => server.close());
  }).listen('${join(directory, 'run', 'demo.sock')}');`;
  writeFileSync(join(bin, 'flock'), `#!${process.execPath}\nsetTimeout(() => { ${agent} }, 300);\n`);
  chmodSync(join(bin, 'flock'), 0o755);
  const { child, ended } = attach({ PATH: `${bin}${delimiter}${process.env.PATH}` });
  child.stdin.end();
  expect(await ended).toBe(0);
});
