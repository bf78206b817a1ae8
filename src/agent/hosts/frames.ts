/**
 * Messages on the socket between an agent and a program at an end host: each a length of two bytes, big-endian, and as
 * many bytes. The first message of each side is JSON (`attachment.ts`), all others are IPv4 packets.
 */
import type { Socket } from 'node:net';

const lengthBytes = 2;

/** What may wait in a socket that its reader does not empty; packets beyond that are lost, as in a network. */
const maxWaitingBytes = 1024 * 1024;

/** Sends one message, of at most 65,535 bytes. Returns false if it was dropped because too much waits. */
export function sendFrame(socket: Socket, message: Uint8Array): boolean {
  if (socket.destroyed || socket.writableLength > maxWaitingBytes) return false;
  const frame = Buffer.allocUnsafe(lengthBytes + message.length);
  frame.writeUInt16BE(message.length);
  frame.set(message, lengthBytes);
  socket.write(frame);
  return true;
}

/**
 * Returns a listener for a stream's data that calls `take` with each message; the message is valid until it returns.
 */
export function frameReader(take: (message: Buffer) => void): (data: Buffer) => void {
  let rest: Buffer | undefined;
  return (data) => {
    const all = rest === undefined ? data : Buffer.concat([rest, data]);
    let at = 0;
    while (all.length - at >= lengthBytes) {
      const end = at + lengthBytes + all.readUInt16BE(at);
      if (end > all.length) break;
      take(all.subarray(at + lengthBytes, end));
      at = end;
    }
    rest = at === all.length ? undefined : all.subarray(at);
  };
}
