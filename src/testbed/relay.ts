/**
 * The relay between tunnel end points, a process of its own in the underlay's namespace. Each node has an address here
 * with a socket on the tunnel port. A packet from node A to B's address is held for the latency from A to B and then
 * sent from A's address to B itself. Argument: path of the RelayPlan, in the testbed's directory. A Unix socket there
 * takes changes of the links.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { completeChecksum } from '../agent/hosts/checksum.ts';
import { DelayLine } from './delay-line.ts';
import { testbedFiles } from './layout.ts';
import { serveControl } from './links/control-server.ts';
import { DueQueue } from './links/due-queue.ts';
import { probeEnds } from './links/probe-packet.ts';
import type { LinkPlan } from './links/properties.ts';
import { RelayLinks } from './links/relay-links.ts';

export interface RelayPlan {
  readonly links: LinkPlan;
  /**
   * `node`: its position in the links' names; `underlay`: where the end is; `address`: where others send to, with port
   * 0 for a port that the relay chooses and reports. Several ends of a node share its links.
   */
  readonly ends: readonly { readonly node: number; readonly underlay: Endpoint; readonly address: Endpoint }[];
  /** What tells who sent a packet: VXLAN devices choose their ports, nodes on one address differ by port only. */
  readonly senders: 'address' | 'port';
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const socketBufferBytes = 4 * 1024 * 1024;
/** Timers have whole milliseconds: a packet due within half a millisecond is sent now, which halves the error. */
const earlyMs = 0.5;

interface Packet {
  readonly data: Buffer;
  readonly from: Socket;
  readonly to: Endpoint;
}

const planFile = process.argv[2] as string;
const plan: RelayPlan = JSON.parse(readFileSync(planFile, 'utf8'));
const positions = new Map<string | number, number>(
  plan.ends.map(({ underlay }, position) => [underlay[plan.senders], position]),
);
/** Packets on links that never had but one latency; almost no work. */
const line = new DelayLine<Packet>();
const queue = new DueQueue<Packet>();
const links = new RelayLinks(plan.links, dirname(planFile));
const reported = new Set<string>();
let wakeAtMs = Number.POSITIVE_INFINITY;
let timer: NodeJS.Timeout | undefined;
const sockets = plan.ends.map((_end, position) => openSocket((data, sender) => receive(data, sender, position)));
await Promise.all(
  plan.ends.map(async ({ address }, position) => {
    const socket = sockets[position] as Socket;
    const listening = once(socket, 'listening');
    socket.bind(address.port, address.address);
    await listening;
  }),
);
await serveControl(testbedFiles(dirname(planFile)).relaySocket, {
  change: (change) => links.change(change),
  openProbes,
});

process.send?.({ ports: sockets.map((socket) => socket.address().port) });
process.disconnect?.();

function openSocket(onMessage: (data: Buffer, sender: RemoteInfo) => void): Socket {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: socketBufferBytes,
    sendBufferSize: socketBufferBytes,
    // Only addresses arrive here; without a look-up a packet is sent at once.
    lookup: (host, _options, callback) => callback(null, host, 4),
  });
  socket.on('message', onMessage);
  return socket;
}

/** A probe takes the link that it names, and returns to its sender. */
async function openProbes(): Promise<{ port: number; close: () => void }> {
  const socket = openSocket((data, sender) => {
    const ends = probeEnds(data, plan.links.names.length);
    // Sent from a socket that stays open when the measurement has ended.
    if (ends !== undefined)
      pass({ data, from: sockets[0] as Socket, to: sender }, ends.from, ends.to, performance.now());
  });
  const listening = once(socket, 'listening');
  socket.bind(0, '127.0.0.1');
  await listening;
  return { port: socket.address().port, close: () => socket.close() };
}

function receive(data: Buffer, sender: RemoteInfo, to: number): void {
  const nowMs = performance.now();
  const from = positions.get(sender[plan.senders]);
  const there = plan.ends[to];
  if (from === undefined || there === undefined) return;
  if (plan.senders === 'address') completeChecksum(data);
  pass({ data, from: sockets[from] as Socket, to: there.underlay }, plan.ends[from]!.node, there.node, nowMs);
}

/** `from` and `to`: positions of nodes. */
function pass(packet: Packet, from: number, to: number, nowMs: number): void {
  const link = links.between(from, to);
  const arrivalMs = link.arrivalMs(packet.data.length, nowMs);
  if (arrivalMs === undefined) return;
  if (!link.isConstant) {
    queue.add(packet, arrivalMs);
    if (arrivalMs > nowMs) wakeBy(arrivalMs, nowMs);
    else releaseDue();
    return;
  }
  if (arrivalMs === nowMs) {
    send(packet);
    return;
  }
  line.add(packet, link.properties.latencyMs, nowMs);
  wakeBy(arrivalMs, nowMs);
}

function wakeBy(dueMs: number, nowMs: number): void {
  if (dueMs >= wakeAtMs) return;
  clearTimeout(timer);
  wakeAtMs = dueMs;
  timer = setTimeout(releaseDue, Math.max(1, dueMs - nowMs - earlyMs));
}

function releaseDue(): void {
  clearTimeout(timer);
  wakeAtMs = Number.POSITIVE_INFINITY;
  // Sending takes time, in which more packets may become due.
  do {
    const untilMs = performance.now() + earlyMs;
    // First the line: a link leaves it for good when it changes, and its later packets arrive no earlier.
    line.release(untilMs, send);
    while (queue.nextDueMs() <= untilMs) send(queue.take() as Packet);
  } while (nextDueMs() <= performance.now() + earlyMs);
  wakeBy(nextDueMs(), performance.now());
}

function nextDueMs(): number {
  return Math.min(line.nextDueMs(), queue.nextDueMs());
}

function send(packet: Packet): void {
  packet.from.send(packet.data, packet.to.port, packet.to.address, noteFailure);
}

/** A packet that cannot be sent is lost, as in any network; the log says once why. */
function noteFailure(error: Error | null): void {
  if (error === null || reported.has(error.message)) return;
  reported.add(error.message);
  console.error(error.message);
}
