import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import { makeKeyPair, startSshServer, type TestServer } from '../support/ssh-server.ts';
import { temporaryHome } from '../support/temporary-home.ts';

const clientKey = makeKeyPair();
let server: TestServer;
let home: ReturnType<typeof temporaryHome>;
let session: SshSession;

beforeAll(async () => {
  server = await startSshServer({ hostKeys: [makeKeyPair()], clientKey });
});
afterAll(() => server.close());
beforeEach(async () => {
  home = temporaryHome();
  mkdirSync(join(home.path, '.ssh'), { mode: 0o700 });
  writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private, { mode: 0o600 });
  session = await connectSsh(
    { node: 'n1', host: '127.0.0.1', port: server.port, user: 'me' },
    { acceptNewHostKeys: true },
  );
});
afterEach(() => {
  session.close();
  home.restore();
});

function collecting() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks), text: () => Buffer.concat(chunks).toString() };
}

async function run(words: readonly string[], input: Readable = Readable.from([]), signal?: AbortSignal) {
  const [stdout, stderr] = [collecting(), collecting()];
  const streams = { stdin: input, stdout: stdout.stream, stderr: stderr.stream };
  const ended = await session.stream(words, { ...streams, what: 'a command', signal });
  return { ended, stdout, stderr };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('a command with streams', () => {
  it('passes both outputs and the exit code on', async () => {
    const { ended, stdout, stderr } = await run(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect([ended, stdout.text(), stderr.text()]).toEqual([{ code: 7 }, 'out\n', 'err\n']);
  });

  it('reports the signal that ended it', async () => {
    const { ended } = await run(['sh', '-c', 'kill -TERM $$']);
    expect([{ code: null, signal: 'TERM' }, { code: 143 }]).toContainEqual(ended);
  });

  it('passes binary input and output of any size unchanged', async () => {
    const bytes = randomBytes(6_000_000);
    const { ended, stdout } = await run(['cat'], Readable.from([bytes]));
    expect(ended.code).toBe(0);
    expect(sha256(stdout.bytes())).toBe(sha256(bytes));
  });

  it('ends although its input does not', async () => {
    const { ended } = await run(['true'], new PassThrough());
    expect(ended.code).toBe(0);
  });

  it('waits while its reader takes nothing, and keeps little', async () => {
    let taken = 0;
    const open: (() => void)[] = [];
    const slow = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken += chunk.length;
        open.push(done);
      },
    });
    const controller = new AbortController();
    const running = session.stream(['cat', '/dev/zero'], {
      stdin: Readable.from([]),
      stdout: slow,
      stderr: collecting().stream,
      what: 'a command',
      signal: controller.signal,
    });
    running.catch(() => {});
    while (taken === 0) await sleep(10);
    await sleep(300);
    expect(open).toHaveLength(1);
    expect(taken).toBeLessThan(1_000_000);
    controller.abort();
    await expect(running).rejects.toThrow('a command on node');
  });

  it('is interrupted on the node, together with what it started', async () => {
    const controller = new AbortController();
    const script = 'trap "echo interrupted; exit" INT; sleep 1000 & echo $!; wait';
    const [stdout, stderr] = [collecting(), collecting()];
    const streams = { stdin: new PassThrough(), stdout: stdout.stream, stderr: stderr.stream };
    const running = session.stream(['sh', '-c', script], { ...streams, what: 'a command', signal: controller.signal });
    running.catch(() => {});
    while (!stdout.text().includes('\n')) await sleep(10);
    const child = Number(stdout.text().split('\n')[0]);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    expect(stdout.text()).toContain('interrupted\n');
    // Shells let background processes ignore Ctrl-C, so this one was killed.
    await expect.poll(() => isAlive(child), { timeout: 60_000 }).toBe(false);
  });

  it('is killed if it ignores the interruption', async () => {
    const controller = new AbortController();
    const [stdout, stderr] = [collecting(), collecting()];
    const streams = { stdin: new PassThrough(), stdout: stdout.stream, stderr: stderr.stream };
    const script = 'trap "" INT HUP; echo $$; while :; do sleep 0.1; done';
    const running = session.stream(['sh', '-c', script], { ...streams, what: 'a command', signal: controller.signal });
    running.catch(() => {});
    while (!stdout.text().includes('\n')) await sleep(10);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    const pid = Number(stdout.text());
    await expect.poll(() => isAlive(pid), { timeout: 60_000 }).toBe(false);
  });

  it('is ended when its output cannot be written', async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('the disk is full')) });
    const running = session.stream(['cat', '/dev/zero'], {
      stdin: Readable.from([]),
      stdout: broken,
      stderr: collecting().stream,
      what: 'a command',
    });
    await expect(running).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining('the disk is full'),
    });
  });

  it('fails when the connection is lost', async () => {
    const running = run(['sleep', '1000'], new PassThrough());
    running.catch(() => {});
    while (!server.commands.some((command) => command.includes('1000'))) await sleep(10);
    server.drop();
    await expect(running).rejects.toMatchObject({ code: 'unreachable' });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
