/** Tests that a stream counts packets dropped at its full receiving socket separately from those lost on the path. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { constants, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, test } from 'vitest';
import { dropsIn } from '../../src/agent/dataplane/kernel/drops.ts';
import { kernelEndpoints } from '../../src/agent/dataplane/kernel/endpoints.ts';
import { enlargeReceiveBuffer } from '../../src/agent/dataplane/kernel/receive-buffer.ts';
import { encodeHeader, streamPrefix } from '../../src/agent/streams/datagram.ts';
import { createStreams, type Streams } from '../../src/agent/streams.ts';
import { describeAsRoot } from '../support/privileges.ts';

const address = '127.61.4.9';
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const opened: Streams[] = [];

afterEach(() => Promise.all(opened.splice(0).map((streams) => streams.closeAll())));

/** Sends the first `count` packets of a stream from another process while this one, and so the receiver, is blocked. */
function flood(stream: string, port: number, count: number): void {
  const first = encodeHeader(streamPrefix(stream), { sequence: 0, sentAtMs: 0 }).toString('hex');
  const script = `
    const socket = require('node:dgram').createSocket({ type: 'udp4', lookup: (a, _o, done) => done(null, a, 4) });
    const packet = Buffer.concat([Buffer.from('${first}', 'hex'), Buffer.alloc(1400)]);
    socket.bind(0, '${address}', () => next(0));
    function next(sequence) {
      if (sequence === ${count}) return socket.close();
      packet.writeUInt32BE(sequence, 12);
      socket.send(packet, ${port}, '${address}', () => next(sequence + 1));
    }`;
  execFileSync(process.execPath, ['-e', script]);
}

async function received(count: number, bufferBytes?: number) {
  const streams = createStreams(kernelEndpoints, clock, { streams: 10, trafficBps: 1e9 });
  opened.push(streams);
  const { port } = await streams.open({ stream: 'x', address, ...(bufferBytes === undefined ? {} : { bufferBytes }) });
  flood('x', port, count);
  for (let before = -1; ; ) {
    const report = await streams.report({ stream: 'x', close: false });
    if (report.received === before) return report;
    before = report.received;
  }
}

describe.runIf(process.platform === 'linux')('a stream whose receiver is too busy to read', () => {
  it('a stream reports each packet that its full socket dropped', async () => {
    const report = await received(20_000);
    expect(report.dropped).toBeGreaterThan(0);
    expect(report.received + report.dropped).toBe(20_000);
  });
});

describeAsRoot('a stream that asks for a larger buffer', () => {
  it('a stream gets the larger buffer that it asks for, whatever net.core.rmem_max says', async () => {
    // Each takes more than 2 KiB of the kernel's memory, so that the usual 4 MiB, doubled, do not hold them.
    expect(await received(8000, 16 * 1024 * 1024)).toMatchObject({ received: 8000, dropped: 0 });
  });

  it('a socket with a larger buffer does not block the agent where no packet has arrived', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    await enlargeReceiveBuffer(socket, 16 * 1024 * 1024);
    expect(socket.getRecvBufferSize()).toBe(32 * 1024 * 1024);
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))!;
    expect(Number.parseInt(flags!, 8) & constants.O_NONBLOCK).toBe(constants.O_NONBLOCK);
    socket.close();
  });
});

describe('dropsIn', () => {
  const text = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  107: 0100007F:14B4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3142 2 0000000000000000 7
 5335: 0900003D:14B4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3143 2 0000000000000000 1963
 5336: 0900003D:14B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3144 2 0000000000000000 302
`;

  test('dropsIn finds the socket by its address and port', () => {
    expect(dropsIn(text, '127.0.0.1', 5300)).toBe(7);
    expect(dropsIn(text, '61.0.0.9', 5300)).toBe(1963);
    expect(dropsIn(text, '61.0.0.9', 5301)).toBe(302);
  });

  test('dropsIn returns 0 for a missing socket', () => {
    expect(dropsIn(text, '61.0.0.9', 5302)).toBe(0);
    expect(dropsIn('', '61.0.0.9', 5300)).toBe(0);
  });
});
