/** An NTP server on loopback whose clock is wrong by a known amount. */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock/clock.ts';

export interface NtpServer {
  readonly port: number;
  /** Returns the number of requests so far. */
  readonly asked: () => number;
  close(): Promise<void>;
}

/** Seconds from 1900, where NTP time begins, to 1970. */
const epochS = 2_208_988_800;

/**
 * Starts a server whose clock is `offsetMs` ahead of this machine's. It reads its clock `thereMs` after a request
 * arrives, and answers `backMs` later. `reply` replaces the answer; after `answers` answers the server is silent.
 */
export async function startNtpServer(
  options: {
    offsetMs?: number;
    thereMs?: number;
    backMs?: number;
    reply?: Buffer;
    answers?: number;
    address?: string;
  } = {},
): Promise<NtpServer> {
  const {
    offsetMs = 0,
    thereMs = 0,
    backMs = 0,
    reply,
    answers = Number.POSITIVE_INFINITY,
    address: own = '127.0.0.1',
  } = options;
  const socket = createSocket('udp4');
  let asked = 0;
  let isOpen = true;
  socket.on('message', async (_, { port, address }) => {
    asked += 1;
    if (asked > answers) return;
    if (thereMs > 0) await sleep(thereMs);
    const answer = reply ?? answerAt(systemClock.wallMs() + offsetMs);
    if (backMs > 0) await sleep(backMs);
    if (isOpen) socket.send(answer, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, own, resolve));
  return {
    port: socket.address().port,
    asked: () => asked,
    close: () => {
      isOpen = false;
      return new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** Builds a server's packet (RFC 5905) that has only its time of sending. */
function answerAt(unixMs: number): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = 0x1c;
  const seconds = unixMs / 1000 + epochS;
  packet.writeUInt32BE(Math.floor(seconds), 40);
  packet.writeUInt32BE(Math.floor((unixMs / 1000 - Math.floor(unixMs / 1000)) * 2 ** 32), 44);
  return packet;
}
