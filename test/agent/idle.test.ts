import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endWhenIdle } from '../../src/agent/idle.ts';

const limitMs = 50;
const patience = { timeout: 20_000 };

describe('an agent without channels', () => {
  let directory: string;
  let server: Server;
  let ends: number;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-idle-'));
    server = createServer((socket) => socket.resume());
    ends = 0;
  });
  afterEach(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  it('an agent ends even if no channel ever opened', async () => {
    endWhenIdle(
      server,
      () => false,
      () => (ends += 1),
      limitMs,
    );
    await expect.poll(() => ends, patience).toBe(1);
  });

  it('an agent without channels ends once it is no longer needed', async () => {
    let asked = 0;
    const isNeeded = () => {
      asked += 1;
      return asked < 3;
    };
    endWhenIdle(server, isNeeded, () => (ends += 1), limitMs);
    await expect.poll(() => ends, patience).toBe(1);
    expect(asked).toBe(3);
  });

  it('an agent does not end while it has a channel, but afterwards', async () => {
    let asked = 0;
    const isNeeded = () => {
      asked += 1;
      return false;
    };
    const path = join(directory, 'socket');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    endWhenIdle(server, isNeeded, () => (ends += 1), limitMs);
    const socket = connect(path);
    await new Promise((resolve) => server.once('connection', resolve));
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 4 * limitMs));
    expect(asked).toBe(before);
    socket.destroy();
    await expect.poll(() => asked, patience).toBe(before + 1);
  });
});
