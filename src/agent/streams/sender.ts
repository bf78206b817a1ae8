import { setTimeout as sleep } from 'node:timers/promises';
import type { Params } from '../../vsys/messages.ts';
import { type Endpoints, isPortTaken } from '../dataplane/endpoints.ts';
import type { StreamClock } from './clock.ts';
import { encodeHeader, headerBytes, maxPackets, streamPrefix } from './datagram.ts';
import type { Paced, Pacer } from './pacer.ts';
import { burstLimit, dueAt, dueCount, intervalOf } from './pacing.ts';

const longestMs = 3_600_000;
/** When this many bytes wait for the kernel, further packets are lost here, as in the full queue of a device. */
const maxQueuedBytes = 4 * 1024 * 1024;
/** How long the end of a stream waits for the kernel to take what is queued. */
const drainMs = 2000;

/** The sending end of a stream. It ends on its own after `count` packets or an hour. */
export interface Sender {
  /** Resolves when it has begun to send. Rejects as `UdpEndpoint.bound` does. */
  readonly started: Promise<void>;
  /**
   * Returns the packets sent so far. A packet that the kernel refused (no route, full queue) counts: it was offered,
   * and lost.
   */
  sent(): number;
  ended(): boolean;
  /** Returns its rate until it has ended, then 0. */
  currentBps(): number;
  /** Ends it and resolves when the kernel has the last packet (or has not taken it for two seconds). */
  stop(): Promise<void>;
}

export function createSender(
  { openUdp }: Pick<Endpoints, 'openUdp'>,
  params: Params<'stream_send'>,
  clock: StreamClock,
  pacer: Pacer,
): Sender {
  const prefix = streamPrefix(params.stream);
  const padding = Buffer.alloc(params.payloadBytes - headerBytes);
  const intervalMs = intervalOf(params.payloadBytes, params.rateBps);
  const count = params.count ?? maxPackets;
  const to = { address: params.to, port: params.port };
  let udp = openUdp({ address: params.from, port: params.port });
  let schedule = { startMs: 0, intervalMs };
  let sent = 0;
  let drained: Promise<void> | undefined;

  function offer(): void {
    const header = encodeHeader(prefix, { sequence: sent, sentAtMs: clock.wallMs() });
    // Without a callback a failed send is silent, as intended: the packets are lost.
    udp.send([header, padding], to);
    sent += 1;
  }

  function sendDue(deadlineMs: number): void {
    const nowMs = clock.monotonicMs();
    const packets = Math.min(dueCount(schedule, nowMs, sent), burstLimit(intervalMs), count - sent);
    if (udp.queuedBytes() > maxQueuedBytes) sent += packets;
    else for (let k = 0; k < packets && (k === 0 || clock.monotonicMs() < deadlineMs); k += 1) offer();
    if (sent >= count || nowMs - schedule.startMs >= longestMs) end();
  }

  const paced: Paced = { dueAtMs: () => Math.min(dueAt(schedule, sent), schedule.startMs + longestMs), sendDue };

  function end(): Promise<void> {
    pacer.remove(paced);
    drained ??= drain();
    return drained;
  }

  async function drain(): Promise<void> {
    const deadlineMs = clock.monotonicMs() + drainMs;
    while (udp.queuedPackets() > 0 && clock.monotonicMs() < deadlineMs) await sleep(1);
    await udp.close();
  }

  /**
   * Sends from the port that the receiver expects, or from any if that is taken. The socket is not connected, so an
   * ICMP error caused by an earlier packet does not keep a later one from being sent.
   */
  async function start(): Promise<void> {
    try {
      await udp.bound;
    } catch (error) {
      if (!isPortTaken(error) || drained !== undefined) throw error;
      await udp.close();
      udp = openUdp({ address: params.from });
      await udp.bound;
    }
    if (drained !== undefined) return udp.close();
    schedule = { startMs: clock.monotonicMs(), intervalMs };
    pacer.add(paced);
  }

  return {
    started: start(),
    sent: () => sent,
    ended: () => drained !== undefined,
    currentBps: () => (drained === undefined ? params.rateBps : 0),
    stop: end,
  };
}
