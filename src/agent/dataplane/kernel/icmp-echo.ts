/**
 * Tests whether addresses answer ICMP echo requests: a node's kernel does, and most firewalls let them through. The
 * program that finds packet sizes sends them, otherwise ping.
 */
import type { EchoRequest } from '../endpoints.ts';
import { ownStack } from '../planner/state.ts';
import { sizesByPerl } from './packet-size.ts';
import { runProbe } from './probe-program.ts';

/** Size of the whole IP packet if the caller gives none: every link carries it. */
const smallBytes = 64;
/** Size of the IPv4 and ICMP headers. */
const headerBytes = 28;
/** How long a program may take to start and end on a busy node. */
const graceMs = 10_000;

/**
 * Whether each address answered. Undefined if this node has no program that can send requests, or may not send them.
 */
export async function icmpEcho(request: EchoRequest, signal: AbortSignal): Promise<boolean[] | undefined> {
  return (await byPerl(request, signal)) ?? (await byPing(request, signal));
}

/** Looks for packets of one size: the largest that gets through has that size, or none does. */
async function byPerl({ from, to, bytes = smallBytes, timeoutMs }: EchoRequest, signal: AbortSignal) {
  const probes = to.map((address) => ({ from, to: address }));
  const sizes = await sizesByPerl(ownStack, probes, { smallest: bytes, largest: bytes, timeoutMs }, signal);
  return sizes?.map((size) => size > 0);
}

async function byPing(request: EchoRequest, signal: AbortSignal): Promise<boolean[] | undefined> {
  const { from, to, bytes, timeoutMs } = request;
  const size = bytes === undefined ? [] : ['-M', 'do', '-s', String(bytes - headerBytes)];
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  const codes = await Promise.all(
    to.map(async (address) => {
      const args = ['-n', '-q', '-c', '1', '-w', seconds, '-I', from, ...size, address];
      return (await runProbe({ command: 'ping', words: args, limitMs: timeoutMs + graceMs }, signal)).code;
    }),
  );
  // Both iputils and busybox exit with 0 if an answer came and with 1 if none did; other codes are faults.
  return codes.every((code) => code === 0 || code === 1) ? codes.map((code) => code === 0) : undefined;
}
