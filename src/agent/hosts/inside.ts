/** The program inside the namespace of an end host: its interface, its connection to the agent, and the command. */
import { spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import { completeChecksum } from './checksum.ts';
import { type AgentSocket, connectToAgent } from './connection.ts';
import { deviceAddress, isIpv4Frame, makeDevice, outerHeader, ports, programAddress } from './device.ts';
import { exitCodeOf, killOthersIn, outlive } from './ending.ts';
import { sendFrame } from './frames.ts';
import { type HostRequest, ownNetwork } from './host.ts';

const bufferBytes = 4 * 1024 * 1024;
interface Device {
  readonly socket: UdpSocket;
  /** Sending before would bind it to another port. */
  isBound: boolean;
}

/** Between attempts to reach an agent that has ended. */
const pauseMs = 250;
/** What shells answer for a program that does not exist, and for one that cannot be run. */
const noSuchProgram = 127;
const cannotRun = 126;

/**
 * Returns the command's exit code. `outside`: the network namespace that this must not change. Throws VnmError `usage`,
 * `failed`, and as `connectToAgent`.
 */
export async function runInside(request: HostRequest, outside: string, command: readonly string[]): Promise<number> {
  const network = ownNetwork();
  if (outside === network) throw new VnmError('usage', 'agent host-inside needs a network namespace of its own');
  const device: Device = { socket: createSocket('udp4'), isBound: false };
  const first = await attach(request, device);
  await makeDevice(request.address, first.attached);
  await bind(device);
  const packets = carry(request, device, first);
  try {
    return await runCommand(command);
  } finally {
    packets.close();
    device.socket.close();
    killOthersIn(network);
  }
}

function attach({ slice, address }: HostRequest, device: Device): Promise<AgentSocket> {
  return connectToAgent(slice, { address, check: false }, (packet) => {
    if (device.isBound) device.socket.send([outerHeader, Buffer.from(packet)], ports.device, deviceAddress);
  });
}

async function bind(device: Device): Promise<void> {
  const { socket } = device;
  socket.bind(ports.program, programAddress);
  await once(socket, 'listening');
  device.isBound = true;
  // A system may grant less.
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_BUFFER_SIZE') throw error;
  }
}

/** Passes packets on to the agent; connects again when the agent was started again, until it is closed. */
function carry(request: HostRequest, device: Device, first: AgentSocket): { close(): void } {
  let current: AgentSocket | undefined;
  let isClosed = false;
  const use = (next: AgentSocket) => {
    current = next;
    next.socket.once('close', () => {
      current = undefined;
      if (!isClosed) void reconnect();
    });
    if (next.socket.destroyed) next.socket.emit('close');
  };
  const reconnect = async () => {
    for (;;) {
      await sleep(pauseMs, undefined, { ref: false });
      if (isClosed) return;
      const next = await attach(request, device).catch(() => undefined);
      if (next === undefined) continue;
      if (isClosed) next.socket.destroy();
      else use(next);
      return;
    }
  };
  device.socket.on('message', (datagram) => {
    if (current === undefined || !isIpv4Frame(datagram)) return;
    completeChecksum(datagram);
    sendFrame(current.socket, datagram.subarray(outerHeader.length));
  });
  device.socket.on('error', () => {});
  use(first);
  return {
    close: () => {
      isClosed = true;
      current?.socket.destroy();
    },
  };
}

async function runCommand([program, ...words]: readonly string[]): Promise<number> {
  const child = spawn(program!, words, { stdio: 'inherit' });
  outlive(child);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return exitCodeOf(code, signal);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    process.stderr.write(isMissing ? `${program}: no such program\n` : `${messageOf(error)}\n`);
    return isMissing ? noSuchProgram : cannotRun;
  }
}
