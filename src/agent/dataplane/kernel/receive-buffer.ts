/** Enlarges the receive buffer of a socket, for packets that arrive while the agent is busy. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:dgram';

/**
 * Only root may exceed `net.core.rmem_max` (SO_RCVBUFFORCE, socket(7)), and Node.js has no call for it. Nearly every
 * Linux system has one of these programs; it gets the socket as its file 3, sets the option and ends. Node.js would
 * make a standard input, output or error block, also for the agent: it is the same socket. The other two numbers are
 * the same on all processors for which Node.js has binaries.
 */
const file = 3;
const solSocket = 1;
const soRcvbufForce = 33;
const programs: readonly (readonly [string, ...string[]])[] = [
  [
    'perl',
    '-e',
    `open(my $socket, "+<&=", ${file}); exit(setsockopt($socket, ${solSocket}, ${soRcvbufForce}, pack("i", $ARGV[0])) ? 0 : 1)`,
  ],
  [
    'python3',
    '-c',
    `import socket, sys; socket.socket(fileno=${file}).setsockopt(${solSocket}, ${soRcvbufForce}, int(sys.argv[1]))`,
  ],
];
/** A program that takes longer is killed, and the socket keeps its buffer. */
const programMs = 2000;

/** Gives a bound socket `bytes` of receive buffer, or as much as this user may have. */
export async function enlargeReceiveBuffer(socket: Socket, bytes: number): Promise<void> {
  if (process.platform !== 'linux') return;
  for (const [program, ...words] of programs) {
    const fd = descriptorOf(socket);
    // Linux returns twice the requested size, to account for its own overhead.
    if (fd === undefined || socket.getRecvBufferSize() >= 2 * bytes) return;
    await runOn(fd, program, [...words, String(bytes)]);
  }
}

/** Returns undefined once it is closed. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } | null };
  return handle === null || handle.fd < 0 ? undefined : handle.fd;
}

/** Runs a program on the socket. Its result shows in the buffer's size, so its exit code does not matter. */
function runOn(fd: number, program: string, words: readonly string[]): Promise<void> {
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'ignore', fd], timeout: programMs, env: {} });
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('error', () => resolve());
  child.once('exit', () => resolve());
  return promise;
}
