/**
 * A virtual router's forwarding (RFC 1812) for all stacks of the slice on this node. A packet goes from stack to stack,
 * over pairs of interfaces on this node or tunnels to others, until a stack has its destination, something drops it, or
 * a closed gate holds it. Its buffer always has room for a tunnel's header before it, and is changed in place.
 */
import { ownStack } from '../planner/state.ts';
import type { Counters, DropReason } from './counters.ts';
import { hasHeader, tunnelHeaderBytes, tunnelNumberOf } from './header.ts';
import {
  checkedLength,
  decrementTtl,
  destinationOf,
  type Icmp,
  icmpPacket,
  icmpTypes,
  mayBeAnsweredByError,
  mayFragment,
  sourceOf,
  ttlOf,
  unreachableCodes,
} from './ipv4.ts';
import type { Tables } from './tables.ts';
import type { Group, Port, StackTables, Target, Way } from './types.ts';

/** Room in a new packet's buffer before the packet. */
export const headroom = tunnelHeaderBytes;

/**
 * Of a packet that an ICMP error is about: its header and eight bytes more, and what else fits (RFC 1812, section
 * 4.3.2.3).
 */
const quotedBytes = 548;

export interface ForwarderParts {
  readonly values: Int32Array;
  readonly counters: Counters;
  /** Sends a datagram: the buffer from `start`. */
  readonly send: (datagram: Buffer, start: number, port: number, address: string) => void;
  /** A packet for an address of a stack. */
  readonly deliver: (stack: StackTables, packet: Buffer, start: number, end: number) => void;
}

export interface Forwarder {
  /** A datagram from another node. */
  receive(datagram: Buffer, address: string, port: number): void;
  /** A packet of a stack's own, which begins at `headroom` of its buffer. */
  originate(namespace: string, packet: Buffer): void;
  /** The ways that a stack's packet to an address could take now, the one taken first; none where it has no way. */
  waysTo(namespace: string, address: number): readonly Way[];
  tables(): Tables;
  /** Forwards by these from the next packet on. */
  use(tables: Tables): void;
  /** Lets what gates hold go on where they are open, or gone. */
  releaseHeld(): void;
}

interface Held {
  readonly packet: Buffer;
  readonly start: number;
  readonly end: number;
}

interface Queue {
  readonly packets: Held[];
  bytes: number;
}

export function createForwarder(first: Tables, { values, counters, send, deliver }: ForwarderParts): Forwarder {
  const { drops } = counters;
  let tables = first;
  /** By the interface whose gate holds them. */
  const queues = new Map<string, Queue>();

  const isClosed = (port: Port) => port.gate !== undefined && Atomics.load(values, port.gate.slot) === 1;

  /** The way that a group's traffic takes. */
  const activeOf = ({ slot, nexthops }: Group) => nexthops.get(Atomics.load(values, slot));

  function accepts(target: Target, port: Port): boolean {
    if (target.type === 'rejected') return false;
    if (target.type === 'ways') return target.ways.some((way) => way.port === port);
    const { group } = target;
    const active = Atomics.load(values, group.slot);
    if (group.nexthops.get(active)?.port === port) return true;
    if (!group.resilient || !group.members.includes(active)) return false;
    return group.members.some((member) => group.nexthops.get(member)?.port === port);
  }

  function targetOf(stack: StackTables, address: number): Target | undefined {
    const position = stack.prefixes.find(address);
    return position === -1 ? undefined : stack.targets[position];
  }

  /** RFC 3704: strict accepts a packet where one to its source could leave, loose where there is any way to that. */
  function passesReversePath(port: Port, source: number): boolean {
    if (port.check === 'none') return true;
    const target = targetOf(port.stack, source);
    if (target === undefined) return false;
    return port.check === 'loose' ? target.type !== 'rejected' : accepts(target, port);
  }

  function wayOf(target: Exclude<Target, { type: 'rejected' }>, source: number, destination: number): Way | undefined {
    if (target.type === 'group') return activeOf(target.group);
    const { ways, totalWeight } = target;
    if (ways.length === 1) return ways[0];
    let share = hashOf(source, destination) % totalWeight;
    for (const way of ways) {
      share -= way.weight;
      if (share < 0) return way;
    }
    return undefined;
  }

  /** A packet that has come to a stack by one of its interfaces. */
  function input(arrived: Port, packet: Buffer, start: number, available: number, isReleased = false): void {
    let port = arrived;
    let wasHeld = isReleased;
    for (;;) {
      const length = checkedLength(packet, start, available);
      if (length === 0) {
        drop('malformed');
        return;
      }
      const end = start + length;
      const counts = port.traffic;
      if (!wasHeld) {
        if (!port.link.up) {
          drop('interface-down');
          return;
        }
        counts.receivedPackets += 1;
        counts.receivedBytes += length;
        if (port.gate !== undefined && isHeld(port, packet, start, end)) return;
      }
      wasHeld = false;
      const { stack } = port;
      const source = sourceOf(packet, start);
      const destination = destinationOf(packet, start);
      if (!passesReversePath(port, source)) {
        drop('reverse-path');
        return;
      }
      if (stack.addresses.has(destination)) {
        deliver(stack, packet, start, end);
        return;
      }
      const next = route(stack, port, packet, start, end, source, destination);
      if (next === undefined) return;
      port = next;
    }
  }

  /** Sends the packet on; answers the interface at the other end where that is on this node. */
  function route(
    stack: StackTables,
    from: Port | undefined,
    packet: Buffer,
    start: number,
    end: number,
    source: number,
    destination: number,
  ): Port | undefined {
    const error = (reason: DropReason, type: number, code: number, rest = 0): undefined => {
      drops[reason] += 1;
      if (from !== undefined) answerByError(from, packet, start, end, { type, code, rest });
    };
    if (from !== undefined && ttlOf(packet, start) <= 1) return error('ttl-exceeded', icmpTypes.timeExceeded, 0);
    const target = targetOf(stack, destination);
    if (target === undefined) return error('no-route', icmpTypes.unreachable, unreachableCodes.network);
    if (target.type === 'rejected') {
      if (target.as === 'blackhole') {
        drops.blackhole += 1;
        return undefined;
      }
      if (target.as === 'prohibit') return error('prohibited', icmpTypes.unreachable, unreachableCodes.prohibited);
      return error('unreachable', icmpTypes.unreachable, unreachableCodes.host);
    }
    const port = wayOf(target, source, destination)?.port;
    if (port === undefined || !port.link.up) {
      return error('interface-down', icmpTypes.unreachable, unreachableCodes.host);
    }
    const length = end - start;
    if (length > port.link.mtu) {
      const { mtu } = port.link;
      if (mayFragment(packet, start)) drops['too-big'] += 1;
      else error('too-big', icmpTypes.unreachable, unreachableCodes.fragmentationNeeded, mtu);
      return undefined;
    }
    if (from !== undefined) decrementTtl(packet, start);
    const counts = port.traffic;
    counts.sentPackets += 1;
    counts.sentBytes += length;
    if (port.peer !== undefined) return port.peer;
    const { tunnel } = port;
    if (tunnel === undefined) {
      drops['interface-down'] += 1;
      return undefined;
    }
    const headerStart = start - tunnelHeaderBytes;
    tunnel.header.copy(packet, headerStart);
    send(end === packet.length ? packet : packet.subarray(0, end), headerStart, tunnel.port, tunnel.remote);
    return undefined;
  }

  function drop(reason: DropReason): void {
    drops[reason] += 1;
  }

  function answerByError(from: Port, packet: Buffer, start: number, end: number, icmp: Icmp): void {
    if (from.address === 0 || !mayBeAnsweredByError(packet, start, end)) return;
    const quoted = packet.subarray(start, Math.min(end, start + quotedBytes));
    const ends = { from: from.address, to: sourceOf(packet, start) };
    originateAt(from.stack, icmpPacket(headroom, ends, icmp, quoted));
  }

  function originateAt(stack: StackTables, packet: Buffer): void {
    const start = headroom;
    const destination = destinationOf(packet, start);
    if (stack.addresses.has(destination)) {
      deliver(stack, packet, start, packet.length);
      return;
    }
    const source = sourceOf(packet, start);
    const next = route(stack, undefined, packet, start, packet.length, source, destination);
    if (next !== undefined) input(next, packet, start, packet.length);
  }

  /** Whether a gate holds the packet, or had no room for it. */
  function isHeld(port: Port, packet: Buffer, start: number, end: number): boolean {
    const { name } = port.place;
    let queue = queues.get(name);
    if (!isClosed(port)) {
      // Those that it held go first.
      if (queue !== undefined) release(name, queue);
      return false;
    }
    if (queue === undefined) {
      queue = { packets: [], bytes: 0 };
      queues.set(name, queue);
    }
    const bytes = end - start;
    if (queue.bytes + bytes > port.gate!.limitBytes) {
      drop('gate-full');
      return true;
    }
    queue.bytes += bytes;
    queue.packets.push({ packet, start, end });
    return true;
  }

  function release(name: string, { packets }: Queue): void {
    queues.delete(name);
    for (const { packet, start, end } of packets) {
      const port = tables.port({ namespace: ownStack, name });
      if (port === undefined) drop('interface-down');
      else input(port, packet, start, end, true);
    }
  }

  function releaseHeld(): void {
    for (const [name, queue] of [...queues]) {
      const port = tables.port({ namespace: ownStack, name });
      if (port === undefined || !isClosed(port)) release(name, queue);
    }
  }

  return {
    receive(datagram, address, senderPort) {
      const number = tunnelNumberOf(datagram);
      if (number === -1) {
        drop('malformed');
        return;
      }
      const port = tables.tunnels.get(number);
      if (port === undefined) {
        drop('unknown-tunnel');
        return;
      }
      const { header, remote, port: remotePort, alsoFrom } = port.tunnel!;
      if (!hasHeader(datagram, header)) {
        drop('wrong-key');
        return;
      }
      const isRemote = address === remote && senderPort === remotePort;
      if (!isRemote && (address !== alsoFrom?.address || senderPort !== alsoFrom.port)) {
        drop('wrong-source');
        return;
      }
      input(port, datagram, tunnelHeaderBytes, datagram.length);
    },
    originate(namespace, packet) {
      const stack = tables.stacks.get(namespace);
      if (stack !== undefined) originateAt(stack, packet);
    },
    waysTo(namespace, address) {
      const stack = tables.stacks.get(namespace);
      const target = stack === undefined ? undefined : targetOf(stack, address);
      if (target === undefined || target.type === 'rejected') return [];
      const ways = target.type === 'ways' ? target.ways : [activeOf(target.group)];
      return ways.filter((way) => way !== undefined);
    },
    tables: () => tables,
    use(next) {
      tables = next;
      releaseHeld();
    },
    releaseHeld,
  };
}

/**
 * Packets of the same two addresses take the same way. Every bit of these counts in the lowest bits of the result, by
 * the last steps of MurmurHash3: addresses in use often differ in few bits.
 */
function hashOf(source: number, destination: number): number {
  let hash = source ^ Math.imul(destination, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
