/** Pure: what `ping` prints in English, as iputils and BusyBox do. */

interface EchoReply {
  /** From 1; BusyBox begins with 0. */
  readonly sequence: number;
  readonly address: string;
  readonly ttl: number;
  readonly rttMs: number;
}

export interface PingReport {
  readonly sent: number;
  /** Without duplicates. */
  readonly received: number;
  readonly replies: readonly EchoReply[];
  /** ICMP errors of routers on the way, or of the kernel where it sent; redirects are none (RFC 792). */
  readonly errors: readonly { readonly address: string; readonly reason: string }[];
}

const address = String.raw`(\d+\.\d+\.\d+\.\d+)`;
const replyLine = new RegExp(
  String.raw`^\d+ bytes from ${address}: (?:icmp_)?seq=(\d+) ttl=(\d+) time=([\d.]+) ms(?! ?\(DUP)`,
  'gm',
);
const errorLine = new RegExp(String.raw`^From ${address}:? icmp_seq=\d+ (?!Redirect )(.+)$`, 'gm');
const countsLine = /^(\d+) packets transmitted, (\d+) (?:packets )?received/m;

/** Returns undefined if it did not come to sending. */
export function readPing(text: string): PingReport | undefined {
  const [, sent, received] = countsLine.exec(text) ?? [];
  if (sent === undefined) return undefined;
  const replies = [...text.matchAll(replyLine)].map(([, from, sequence, ttl, time]) => ({
    address: from!,
    sequence: Number(sequence),
    ttl: Number(ttl),
    rttMs: Number(time),
  }));
  const errors = [...text.matchAll(errorLine)].map(([, from, reason]) => ({ address: from!, reason: reason!.trim() }));
  return { sent: Number(sent), received: Number(received), replies, errors };
}
