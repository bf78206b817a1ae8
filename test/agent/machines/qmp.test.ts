import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectQmp, parseQmp } from '../../../src/agent/machines/qmp.ts';

describe('parseQmp', () => {
  it.each([
    ['{"QMP": {"version": {}, "capabilities": []}}', { kind: 'greeting' }],
    ['{"return": {"status": "running"}, "id": 3}', { kind: 'result', id: 3, value: { status: 'running' } }],
    ['{"error": {"class": "GenericError", "desc": "no"}, "id": 4}', { kind: 'error', id: 4, why: 'no' }],
    [
      '{"event": "STOP", "timestamp": {"seconds": 10, "microseconds": 2500}}',
      { kind: 'event', event: 'STOP', data: {}, atMs: 10_002.5 },
    ],
  ])('reads %s', (line, message) => {
    expect(parseQmp(line)).toEqual(message);
  });

  it.each(['', 'null', '17', '{', '{"id": 1}', '{"event": "STOP"}'])('refuses %j', (line) => {
    expect(() => parseQmp(line)).toThrow('QEMU sent what is not QMP');
  });
});

describe('connectQmp', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-qmp-'));
    path = join(directory, 'qmp');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** A QEMU that answers each line by `answer`. */
  async function qemu(answer: (request: { execute: string; id: number }, socket: Socket) => string) {
    const server = createServer((socket) => {
      socket.write('{"QMP": {}}\n');
      let text = '';
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        text += chunk.toString();
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
          const request = JSON.parse(text.slice(0, end)) as { execute: string; id: number };
          text = text.slice(end + 1);
          const line =
            request.execute === 'qmp_capabilities' ? `{"return": {}, "id": ${request.id}}` : answer(request, socket);
          if (line !== '') socket.write(`${line}\n`);
        }
      });
    }).listen(path);
    await once(server, 'listening');
    return server;
  }

  it('gives each answer to its question, and keeps the events', async () => {
    const server = await qemu(({ execute, id }) =>
      execute === 'bad'
        ? `{"error": {"class": "GenericError", "desc": "not so"}, "id": ${id}}`
        : `{"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 0}}\n{"return": "${execute}", "id": ${id}}`,
    );
    const qmp = await connectQmp(path);
    const [bad, good] = await Promise.allSettled([qmp.execute('bad'), qmp.execute('good')]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'QEMU: not so' } });
    expect(good).toEqual({ status: 'fulfilled', value: 'good' });
    expect(await qmp.event(({ event }) => event === 'RESUME')).toMatchObject({ atMs: 1000 });
    qmp.close();
    server.close();
  });

  it('says when nothing runs, and when it ends in the middle', async () => {
    await expect(connectQmp(path)).rejects.toMatchObject({ code: 'not-found' });
    const server = await qemu((_, socket) => {
      socket.destroy();
      return '';
    });
    const qmp = await connectQmp(path);
    const waiting = qmp.event(() => true);
    const both = await Promise.allSettled([qmp.execute('quit'), waiting]);
    for (const one of both)
      expect(one).toMatchObject({ status: 'rejected', reason: { message: 'the virtual machine has ended' } });
    server.close();
  });

  it('gives up when its signal says so', async () => {
    const server = await qemu(() => '');
    const stopped = new AbortController();
    const qmp = await connectQmp(path, stopped.signal);
    const waiting = qmp.execute('wait');
    stopped.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    server.close();
  });
});
