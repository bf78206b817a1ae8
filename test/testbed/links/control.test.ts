/** Both sides of a relay's control socket, without the relay. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testbedFiles } from '../../../src/testbed/layout.ts';
import { requestChange, requestProbePort } from '../../../src/testbed/links/control.ts';
import { serveControl } from '../../../src/testbed/links/control-server.ts';
import type { LinkChange, LinkPlan } from '../../../src/testbed/links/properties.ts';
import { readChangedLinks } from '../../../src/testbed/links/record.ts';
import { RelayLinks } from '../../../src/testbed/links/relay-links.ts';

const plan: LinkPlan = {
  names: ['a', 'b'],
  delaysMs: [
    [0, 10],
    [10, 0],
  ],
};
const there = { from: 'a', to: 'b', latencyMs: 10, jitterMs: 0, lossRate: 0, rateBps: null };
const change = (set: LinkChange['set']): LinkChange => ({ from: 'a', to: 'b', isOneWay: true, reset: false, set });

describe('the control socket of a relay', () => {
  let directory: string;
  let links: RelayLinks;
  const closed: number[] = [];
  let server: Server;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-relay-'));
    links = new RelayLinks(plan, directory);
    let port = 40_000;
    const openProbes = async () => {
      port += 1;
      const mine = port;
      return { port, close: () => closed.push(mine) };
    };
    server = await serveControl(testbedFiles(directory).relaySocket, {
      change: (asked) => links.change(asked),
      openProbes,
    });
  });
  afterAll(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  it('takes a change, which the link has and the record too', async () => {
    expect(await requestChange(directory, change({ lossRate: 0.5 }))).toEqual([{ ...there, lossRate: 0.5 }]);
    expect(links.between(0, 1).properties).toMatchObject({ lossRate: 0.5 });
    expect(links.between(1, 0).properties).toMatchObject({ lossRate: 0 });
    expect(readChangedLinks(directory)).toEqual([{ ...there, lossRate: 0.5 }]);
    expect(new RelayLinks(plan, directory).between(0, 1).properties).toMatchObject({ lossRate: 0.5 });
  });

  it('takes changes that come at the same time one after the other', async () => {
    const latencies = Array.from({ length: 20 }, (_, index) => index);
    await Promise.all(latencies.map((latencyMs) => requestChange(directory, change({ latencyMs }))));
    const { latencyMs } = links.between(0, 1).properties;
    expect(readChangedLinks(directory)).toEqual([{ ...there, lossRate: 0.5, latencyMs }]);
    await requestChange(directory, { ...change({}), reset: true });
    expect(readChangedLinks(directory)).toEqual([]);
  });

  it('answers with the error of a change that cannot be', async () => {
    await expect(requestChange(directory, change({ jitterMs: 11 }))).rejects.toMatchObject({
      code: 'invalid-input',
      message: "the jitter from 'a' to 'b' would be 11 ms, more than the latency of 10 ms",
      hint: 'no packet arrives before it is sent: give a smaller --jitter or a larger --latency',
    });
  });

  it('changes nothing if the change cannot be recorded', async () => {
    const blocked = `${testbedFiles(directory).links}.new`;
    mkdirSync(blocked);
    await expect(requestChange(directory, change({ lossRate: 1 }))).rejects.toMatchObject({ code: 'failed' });
    rmSync(blocked, { recursive: true });
    expect(links.between(0, 1).properties).toMatchObject({ lossRate: 0 });
    expect(await requestChange(directory, change({}))).toEqual([there]);
  });

  it('answers nonsense with an error', async () => {
    const socket = connect(testbedFiles(directory).relaySocket);
    socket.write('{"kind":"change"}\n');
    const [answer] = await once(socket, 'data');
    expect(JSON.parse(String(answer))).toMatchObject({ error: { code: 'failed' } });
    socket.destroy();
  });

  it('goes on after a client that went without its answer', async () => {
    for (const latencyMs of [1, 2, 3, 4, 5]) {
      const socket = connect(testbedFiles(directory).relaySocket).pause();
      await once(socket, 'connect');
      socket.write(`${JSON.stringify({ kind: 'change', change: change({ latencyMs }) })}\n`);
      await expect.poll(() => links.between(0, 1).properties.latencyMs, { timeout: 20_000 }).toBe(latencyMs);
      // The answer is there now; a connection that closes without reading it fails at the other end.
      await sleep(20);
      socket.destroy();
    }
    await requestChange(directory, { ...change({}), reset: true });
    expect(await requestChange(directory, change({}))).toEqual([there]);
  });

  it('has a port for probes until who asked closes the connection', async () => {
    const probes = await requestProbePort(directory);
    expect([probes.port, closed]).toEqual([40_001, []]);
    probes.close();
    await expect.poll(() => closed, { timeout: 20_000 }).toEqual([40_001]);
  });
});

describe('the record of changed paths', () => {
  it('has a fault that names the file and what to do', () => {
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-relay-'));
    try {
      const path = testbedFiles(directory).links;
      writeFileSync(path, '{');
      expect(() => readChangedLinks(directory)).toThrow(`cannot read the changed paths in ${path}`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
