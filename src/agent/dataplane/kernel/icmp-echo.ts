/**
 * Whether addresses answer ICMP echo requests, which a node's kernel does and usual firewalls let through. Sent by the same program as
 * those that find the size of packets, else by ping.
 */
import type { EchoRequest } from '../endpoints.ts';
import { ownStack } from './ip.ts';
import { sizesByPerl } from './packet-size.ts';
import { runProbe } from './probe-program.ts';

/** Of the whole IP packet, where it does not matter: every link carries it. */
const smallBytes = 64;
/** Of IPv4 and ICMP. */
const headerBytes = 28;
/** For a program to start and to end on a busy node. */
const graceMs = 10_000;

/** Whether each address answered. Undefined where this node has no program that can ask, or may not. */
export async function icmpEcho(request: EchoRequest, signal: AbortSignal): Promise<boolean[] | undefined> {
  return (await byPerl(request, signal)) ?? (await byPing(request, signal));
}

/** Of a packet of one size the largest that gets through is that, or none does. */
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
  // Of iputils and busybox alike: 0 when an answer came, 1 when none did; others are faults.
  return codes.every((code) => code === 0 || code === 1) ? codes.map((code) => code === 0) : undefined;
}
