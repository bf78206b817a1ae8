/** ICMP echo requests (RFC 792) of this node's stacks, and the largest packet that gets to an address and back. */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ends, headerBytesAt, icmpHeaderBytes, icmpPacket, icmpTypes, ipv4HeaderBytes, read16 } from './ipv4.ts';

/** Of the whole IP packet, where its size does not matter. */
export const smallEchoBytes = 64;
const leastEchoBytes = ipv4HeaderBytes + icmpHeaderBytes;

export interface EchoClient {
  /**
   * Resolves to whether the address answers a request of so many bytes, as soon as that is known: an ICMP error says
   * so, too. False when the signal aborts.
   */
  ask(namespace: string, ends: Ends, bytes: number, signal: AbortSignal): Promise<boolean>;
  /**
   * An ICMP message that arrived at a stack, its header at `at`. Returns whether it is about a request of this client.
   */
  hear(namespace: string, packet: Buffer, at: number, end: number): boolean;
}

/** `originate`: sends a stack's own packet. */
export function createEchoClient(headroom: number, originate: (namespace: string, packet: Buffer) => void): EchoClient {
  const waiting = new Map<string, (answered: boolean) => void>();
  const keyOf = (namespace: string, id: number, sequence: number) => `${namespace} ${id} ${sequence}`;
  let id = randomInt(0x10000);
  let sequence = 0;

  function nextNumber(): number {
    sequence = (sequence + 1) & 0xffff;
    if (sequence === 0) id = (id + 1) & 0xffff;
    return sequence;
  }

  function settle(key: string, isAnswered: boolean): boolean {
    const end = waiting.get(key);
    end?.(isAnswered);
    return end !== undefined;
  }

  return {
    ask(namespace, ends, bytes, signal) {
      const number = nextNumber();
      const key = keyOf(namespace, id, number);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const end = (answered: boolean) => {
        waiting.delete(key);
        signal.removeEventListener('abort', giveUp);
        resolve(answered);
      };
      const giveUp = () => end(false);
      if (signal.aborted) return Promise.resolve(false);
      signal.addEventListener('abort', giveUp);
      waiting.set(key, end);
      const body = Buffer.alloc(Math.max(bytes, leastEchoBytes) - leastEchoBytes);
      const request = { type: icmpTypes.echo, code: 0, rest: ((id << 16) | number) >>> 0 };
      originate(namespace, icmpPacket(headroom, ends, request, body));
      return promise;
    },
    hear(namespace, packet, at, end) {
      const type = packet[at]!;
      if (type === icmpTypes.echoReply) {
        return settle(keyOf(namespace, read16(packet, at + 4), read16(packet, at + 6)), true);
      }
      if (type !== icmpTypes.unreachable && type !== icmpTypes.timeExceeded) return false;
      const quoted = at + icmpHeaderBytes;
      const echo = quoted + headerBytesAt(packet, quoted);
      if (echo + icmpHeaderBytes > end || packet[echo] !== icmpTypes.echo) return false;
      return settle(keyOf(namespace, read16(packet, echo + 4), read16(packet, echo + 6)), false);
    },
  };
}

export interface SizeRange {
  readonly smallest: number;
  readonly largest: number;
  /** For the first answer. */
  readonly timeoutMs: number;
}

const firstTries = 5;
const sizesAtOnce = 15;
const triesOfEach = 3;
const leastWaitMs = 50;

/**
 * The largest size within the range that is answered; null where not even the smallest is. Asks for the largest first;
 * where only the smallest is answered, for 15 sizes between at a time, three times over, until one byte is left.
 * `answers`: whether a packet of that size is answered before the signal aborts.
 */
export async function largestAnswered(
  { smallest, largest, timeoutMs }: SizeRange,
  answers: (bytes: number, signal: AbortSignal) => Promise<boolean>,
  ended?: AbortSignal,
): Promise<number | null> {
  let found = 0;
  let refused = largest + 1;
  let roundTripMs = 0;

  /** Resolves when each has its answer, or after the time. */
  async function tryAll(sizes: readonly number[], waitMs: number): Promise<void> {
    const over = new AbortController();
    const signal = ended === undefined ? over.signal : AbortSignal.any([over.signal, ended]);
    const startMs = performance.now();
    const asked = sizes.map(async (bytes) => {
      if (!(await answers(bytes, signal))) return;
      roundTripMs = Math.max(roundTripMs, performance.now() - startMs);
      found = Math.max(found, bytes);
    });
    await Promise.race([Promise.all(asked), sleep(waitMs, undefined, { signal }).catch(() => {})]);
    over.abort();
    await Promise.all(asked);
  }

  for (let tries = 0; tries < firstTries && found < largest && !ended?.aborted; tries += 1) {
    await tryAll(found === 0 && smallest < largest ? [largest, smallest] : [largest], timeoutMs / firstTries);
  }
  if (found === 0) return null;
  if (found < largest) refused = largest;
  while (found + 1 < refused && !ended?.aborted) {
    const step = (refused - found) / (sizesAtOnce + 1);
    const between = Array.from({ length: sizesAtOnce }, (_, index) => Math.floor(found + (index + 1) * step));
    const sizes = [...new Set(between)].filter((bytes) => bytes > found && bytes < refused);
    for (let tries = 0; tries < triesOfEach && found < sizes.at(-1)!; tries += 1) {
      const open = sizes.filter((bytes) => bytes > found);
      await tryAll(open, leastWaitMs + 3 * roundTripMs);
    }
    refused = sizes.find((bytes) => bytes > found) ?? refused;
  }
  return found;
}
