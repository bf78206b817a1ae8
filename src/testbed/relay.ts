/**
 * The relay between tunnel end points, a process of its own in the underlay's namespace. Each node has an address here
 * with a socket on the tunnel port. A packet from node A to B's address is held for the latency from A to B and then
 * sent from A's address to B itself. Argument: path of the RelayPlan.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { completeChecksum } from '../agent/hosts/checksum.ts';
import { DelayLine } from './delay-line.ts';
import { createLinks, type Impairment } from './impairment.ts';

export interface RelayPlan {
  /**
   * `underlay`: where the node is; `address`: where others send to, with port 0 for a port that the relay chooses and
   * reports.
   */
  readonly nodes: readonly { readonly underlay: Endpoint; readonly address: Endpoint }[];
  /** One-way, by the nodes' positions: `[from][to]`. */
  readonly delaysMs: readonly (readonly number[])[];
  /** What tells who sent a packet: VXLAN devices choose their ports, nodes on one address differ by port only. */
  readonly senders: 'address' | 'port';
  readonly impairment?: Impairment;
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

const plan: RelayPlan = JSON.parse(readFileSync(process.argv[2] as string, 'utf8'));
const positions = new Map<string | number, number>(
  plan.nodes.map(({ underlay }, position) => [underlay[plan.senders], position]),
);
const line = new DelayLine<Packet>();
const links = createLinks(plan.impairment ?? {}, Math.random);
const reported = new Set<string>();
let wakeAtMs = Number.POSITIVE_INFINITY;
let timer: NodeJS.Timeout | undefined;
const sockets = plan.nodes.map((_node, position) => openSocket(position));
await Promise.all(
  plan.nodes.map(async ({ address }, position) => {
    const socket = sockets[position] as Socket;
    const listening = once(socket, 'listening');
    socket.bind(address.port, address.address);
    await listening;
  }),
);

process.send?.({ ports: sockets.map((socket) => socket.address().port) });
process.disconnect?.();

function openSocket(to: number): Socket {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: socketBufferBytes,
    sendBufferSize: socketBufferBytes,
    // Only addresses arrive here; without a look-up a packet is sent at once.
    lookup: (host, _options, callback) => callback(null, host, 4),
  });
  socket.on('message', (data, sender) => receive(data, sender[plan.senders], to));
  return socket;
}

function receive(data: Buffer, sender: string | number, to: number): void {
  const nowMs = performance.now();
  const from = positions.get(sender);
  if (from === undefined) return;
  if (plan.senders === 'address') completeChecksum(data);
  const packet = { data, from: sockets[from] as Socket, to: plan.nodes[to]?.underlay as Endpoint };
  const delayMs = plan.delaysMs[from]?.[to] as number;
  const link = from * plan.nodes.length + to;
  const departureMs = links.departure(link, data.length, nowMs);
  if (departureMs === undefined) return;
  if (delayMs === 0 && departureMs === nowMs) {
    send(packet);
    return;
  }
  line.add(packet, delayMs, departureMs, plan.impairment?.rateBps === undefined ? delayMs : link);
  wakeBy(departureMs + delayMs, nowMs);
}

function wakeBy(dueMs: number, nowMs: number): void {
  if (dueMs >= wakeAtMs) return;
  clearTimeout(timer);
  wakeAtMs = dueMs;
  timer = setTimeout(releaseDue, Math.max(1, dueMs - nowMs - earlyMs));
}

function releaseDue(): void {
  wakeAtMs = Number.POSITIVE_INFINITY;
  // Sending takes time, in which more packets may become due.
  do line.release(performance.now() + earlyMs, send);
  while (line.nextDueMs() <= performance.now() + earlyMs);
  wakeBy(line.nextDueMs(), performance.now());
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
