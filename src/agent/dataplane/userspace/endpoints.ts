/**
 * Sockets of the node's own stack, and what every stack answers by itself: echo requests, and datagrams that no socket
 * waits for.
 */
import { formatAddress, parseAddress } from '../../../model/address.ts';
import { VnmError } from '../../../model/errors.ts';
import { bindError, type Endpoints, type Remote, type UdpEndpoint, type UdpOptions } from '../endpoints.ts';
import { ownStack } from '../planner/state.ts';
import type { AttachedHosts } from './attached-hosts.ts';
import { createEchoClient, largestAnswered, smallEchoBytes } from './echo.ts';
import { type Forwarder, headroom } from './forwarder.ts';
import {
  destinationOf,
  headerBytesAt,
  icmpHeaderBytes,
  icmpPacket,
  icmpTypes,
  ipv4HeaderBytes,
  isFragment,
  mayBeAnsweredByError,
  protocolOf,
  protocols,
  read16,
  readAddress,
  sourceOf,
  udpHeaderBytes,
  udpPacket,
  unreachableCodes,
} from './ipv4.ts';
import type { StackTables } from './types.ts';

const firstFreePort = 49_152;
const lastPort = 65_535;
const quotedBytes = ipv4HeaderBytes + 8;

interface Socket {
  readonly options: UdpOptions;
  connected?: { readonly address: number; readonly port: number };
}

export interface StackEndpoints extends Endpoints {
  /** As `openUdp`, also for an address that this node does not have yet. */
  openAhead(options: UdpOptions): UdpEndpoint;
  /** A packet for an address of a stack. */
  deliver(stack: StackTables, packet: Buffer, start: number, end: number): void;
}

/** What waits in the socket that the node's tunnels share. */
export interface SendQueue {
  packets(): number;
  bytes(): number;
}

/**
 * `forwarder`: asked for each time, since it needs `deliver` itself. `hosts` get what is of no use to a socket or a
 * request here.
 */
export function createStackEndpoints(
  forwarder: () => Forwarder,
  queue: SendQueue,
  hosts: Pick<AttachedHosts, 'offer'>,
): StackEndpoints {
  /** By address and port. */
  const sockets = new Map<number, Socket>();
  let nextPort = firstFreePort;
  const keyOf = (address: number, port: number) => address * 0x10000 + port;
  const echo = createEchoClient(headroom, originate);
  /**
   * Of packets that are on their way: what arrives meanwhile is delivered when they have gone, so no caller is called
   * back at once.
   */
  let depth = 0;

  function originate(namespace: string, packet: Buffer): void {
    depth += 1;
    try {
      forwarder().originate(namespace, packet);
    } finally {
      depth -= 1;
    }
  }

  const isOwn = (address: number) => forwarder().tables().own.addresses.has(address);
  const hasWay = (address: number) =>
    isOwn(address) ||
    forwarder()
      .waysTo(ownStack, address)
      .some(({ port }) => port?.link.up);

  function open(options: UdpOptions, isAhead: boolean): UdpEndpoint {
    const address = parseAddress(options.address);
    const socket: Socket = { options };
    const port = options.port === undefined || options.port === 0 ? freePort(address) : options.port;
    const key = keyOf(address, port);
    const code = !isAhead && !isOwn(address) ? 'EADDRNOTAVAIL' : sockets.has(key) ? 'EADDRINUSE' : undefined;
    const error = code === undefined ? undefined : systemError(code);
    if (error === undefined) sockets.set(key, socket);

    return {
      bound: error === undefined ? Promise.resolve(port) : Promise.reject(bindError(options.address, error)),
      connect(to, done) {
        const remote = parseAddress(to.address);
        const isThere = hasWay(remote);
        if (isThere) socket.connected = { address: remote, port: to.port };
        setImmediate(done, isThere ? undefined : systemError('ENETUNREACH'));
      },
      send(packet, to, done) {
        const remote = to === undefined ? socket.connected : { address: parseAddress(to.address), port: to.port };
        if (remote === undefined || sockets.get(key) !== socket) return;
        const ends = { from: address, to: remote.address };
        const payload = packet instanceof Buffer ? [packet] : (packet as readonly Buffer[]);
        originate(ownStack, udpPacket(headroom, ends, { fromPort: port, toPort: remote.port }, payload));
        if (done !== undefined) process.nextTick(done, null);
      },
      queuedPackets: queue.packets,
      queuedBytes: queue.bytes,
      makeRoom: async () => {},
      drops: async () => 0,
      async close() {
        if (sockets.get(key) === socket) sockets.delete(key);
      },
    };
  }

  function freePort(address: number): number {
    for (let tries = firstFreePort; tries <= lastPort; tries += 1) {
      const port = nextPort;
      nextPort = nextPort === lastPort ? firstFreePort : nextPort + 1;
      if (!sockets.has(keyOf(address, port))) return port;
    }
    throw new VnmError('failed', `all ports of ${formatAddress(address)} are in use`);
  }

  function receive(stack: StackTables, packet: Buffer, start: number, end: number): void {
    const at = start + headerBytesAt(packet, start);
    const protocol = protocolOf(packet, start);
    // Nothing here reassembles: what looks like the header of a fragment may be anything.
    if (isFragment(packet, start)) {
      offer(stack, packet, start, end);
      return;
    }
    if (protocol === protocols.udp) receiveUdp(stack, packet, start, at, end);
    else if (protocol === protocols.icmp) receiveIcmp(stack, packet, start, at, end);
    else if (!offer(stack, packet, start, end)) answerUnreachable(stack, packet, start, end, unreachableCodes.protocol);
  }

  /** As RFC 1122 has it, section 3.2.2.1. */
  function answerUnreachable(
    { namespace }: StackTables,
    packet: Buffer,
    start: number,
    end: number,
    code: number,
  ): void {
    if (!mayBeAnsweredByError(packet, start, end)) return;
    const quoted = packet.subarray(start, Math.min(end, start + quotedBytes));
    const ends = { from: destinationOf(packet, start), to: sourceOf(packet, start) };
    originate(namespace, icmpPacket(headroom, ends, { type: icmpTypes.unreachable, code, rest: 0 }, quoted));
  }

  /** Returns whether a program is attached to the packet's destination: then it has got the packet. */
  function offer({ namespace }: StackTables, packet: Buffer, start: number, end: number): boolean {
    return namespace === ownStack && hosts.offer(destinationOf(packet, start), packet, start, end);
  }

  function receiveUdp(stack: StackTables, packet: Buffer, start: number, at: number, end: number): void {
    const { namespace } = stack;
    const length = at + udpHeaderBytes > end ? 0 : read16(packet, at + 4);
    if (length < udpHeaderBytes || at + length > end) return;
    const [source, destination] = [sourceOf(packet, start), destinationOf(packet, start)];
    const [fromPort, toPort] = [read16(packet, at), read16(packet, at + 2)];
    const socket = namespace === ownStack ? sockets.get(keyOf(destination, toPort)) : undefined;
    const { connected } = socket ?? {};
    if (socket !== undefined && (connected === undefined || isRemote(connected, source, fromPort))) {
      const from: Remote = { address: formatAddress(source), port: fromPort };
      socket.options.onMessage?.(packet.subarray(at + udpHeaderBytes, at + length), from);
      return;
    }
    if (!offer(stack, packet, start, end)) answerUnreachable(stack, packet, start, end, unreachableCodes.port);
  }

  function receiveIcmp(stack: StackTables, packet: Buffer, start: number, at: number, end: number): void {
    const { namespace } = stack;
    if (at + icmpHeaderBytes > end) return;
    if (packet[at] === icmpTypes.echo) {
      const ends = { from: destinationOf(packet, start), to: sourceOf(packet, start) };
      const reply = { type: icmpTypes.echoReply, code: 0, rest: readAddress(packet, at + 4) };
      originate(namespace, icmpPacket(headroom, ends, reply, packet.subarray(at + icmpHeaderBytes, end)));
      return;
    }
    const isRefusal = packet[at] === icmpTypes.unreachable && packet[at + 1] === unreachableCodes.port;
    if (echo.hear(namespace, packet, at, end) || (isRefusal && refuse(packet, at, end))) return;
    offer(stack, packet, start, end);
  }

  /**
   * Tells the socket whose datagram found no socket at the other end, as a kernel tells a connected one. Returns
   * whether there is such a socket.
   */
  function refuse(packet: Buffer, at: number, end: number): boolean {
    const quoted = at + icmpHeaderBytes;
    if (quoted + ipv4HeaderBytes + udpHeaderBytes > end || protocolOf(packet, quoted) !== protocols.udp) return false;
    const udp = quoted + headerBytesAt(packet, quoted);
    const socket = sockets.get(keyOf(sourceOf(packet, quoted), read16(packet, udp)));
    if (socket?.connected === undefined) return socket !== undefined;
    if (isRemote(socket.connected, destinationOf(packet, quoted), read16(packet, udp + 2))) {
      socket.options.onError?.(systemError('ECONNREFUSED'));
    }
    return true;
  }

  const sizeOf = async (
    namespace: string,
    { from, to }: { readonly from: string; readonly to: string },
    range: { readonly smallest: number; readonly largest: number; readonly timeoutMs: number },
    ended?: AbortSignal,
  ) => {
    const ends = { from: parseAddress(from), to: parseAddress(to) };
    const isHere = forwarder().tables().stacks.get(namespace)?.addresses.has(ends.from);
    if (!isHere) return null;
    return largestAnswered(range, (bytes, signal) => echo.ask(namespace, ends, bytes, signal), ended);
  };

  return {
    openUdp: (options) => open(options, false),
    openAhead: (options) => open(options, true),
    deliver(stack, packet, start, end) {
      if (depth === 0) receive(stack, packet, start, end);
      else process.nextTick(receive, stack, packet, start, end);
    },
    async echo({ from, to, bytes = smallEchoBytes, timeoutMs }, signal) {
      const range = { smallest: bytes, largest: bytes, timeoutMs };
      const sizes = await Promise.all(to.map((address) => sizeOf(ownStack, { from, to: address }, range, signal)));
      return sizes.map((size) => size !== null);
    },
    async packetSizes({ probes, ...range }, ended) {
      const sizes = probes.map(({ namespace = ownStack, ...ends }) => sizeOf(namespace, ends, range, ended));
      return { sizes: await Promise.all(sizes) };
    },
    async pathMtu(addresses) {
      return addresses.map((address) => {
        const [way] = forwarder().waysTo(ownStack, parseAddress(address));
        if (way?.port !== undefined) return way.port.link.mtu;
        throw new VnmError('failed', `no way to ${address}`);
      });
    },
  };
}

function isRemote(remote: { readonly address: number; readonly port: number }, address: number, port: number): boolean {
  return remote.address === address && remote.port === port;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
