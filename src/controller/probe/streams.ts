import { randomBytes } from 'node:crypto';
import type { NodeName } from '../../model/names.ts';
import type { StreamReport } from '../../vsys/messages.ts';
import type { Agents } from '../nodes/agents.ts';

/** One end of a stream of numbered packets: an address that a node owns. */
export interface StreamEnd {
  readonly node: NodeName;
  readonly address: string;
}

export interface StreamSpec {
  readonly from: StreamEnd;
  readonly to: StreamEnd;
  readonly payloadBytes: number;
  readonly rateBps: number;
  /** Packets to send; if absent, the stream runs until stopped. */
  readonly count?: number;
  /** Size of the receive buffer, if not the default. */
  readonly bufferBytes?: number;
}

/** A stream that is being sent and received. */
export interface RunningStream {
  /** Stops sending. Returns how many packets were sent. */
  stop(): Promise<number>;
  /** Resolves when so many packets have arrived or were dropped at the receiving node, or none has for `quietMs`. */
  arrival(packets: number, quietMs: number): Promise<void>;
  /** Closes the stream on both nodes. Returns its last report. */
  close(): Promise<{ sent: number; report: StreamReport }>;
}

/** Opens the receiver, then starts the sender. */
export async function startStream(agents: Agents, spec: StreamSpec): Promise<RunningStream> {
  const stream = randomBytes(8).toString('hex');
  const receiver = agents.get(spec.to.node);
  const sender = agents.get(spec.from.node);
  const ends = { address: spec.to.address, sender: spec.from.address };
  const room = spec.bufferBytes === undefined ? {} : { bufferBytes: spec.bufferBytes };
  const { port } = await receiver.call('stream_open', { stream, ...ends, ...room });
  try {
    await sender.call('stream_send', {
      stream,
      from: spec.from.address,
      to: spec.to.address,
      port,
      payloadBytes: spec.payloadBytes,
      rateBps: spec.rateBps,
      ...(spec.count === undefined ? {} : { count: spec.count }),
    });
  } catch (error) {
    await receiver.call('stream_report', { stream, close: true });
    throw error;
  }
  return {
    stop: async () => (await sender.call('stream_stop', { stream })).sent,
    arrival: async (packets, quietMs) => {
      await receiver.call('stream_report', { stream, until: { packets, quietMs } });
    },
    close: async () => {
      const closing = { stream, close: true };
      const ofSender = sender.call('stream_report', closing);
      // If one agent is both sender and receiver, one report has both halves.
      const ofReceiver = sender === receiver ? ofSender : receiver.call('stream_report', closing);
      const [{ sent }, report] = await Promise.all([ofSender, ofReceiver]);
      return { sent, report };
    },
  };
}

/**
 * Sends `count` packets and waits until `enough` have arrived, by default all, or none has arrived for `quietMs` after
 * the last was due.
 */
export async function runStream(
  agents: Agents,
  spec: StreamSpec & { count: number },
  { quietMs, enough = spec.count }: { quietMs: number; enough?: number },
): Promise<StreamReport> {
  const stream = await startStream(agents, spec);
  try {
    const sendingMs = (spec.count * spec.payloadBytes * 8 * 1000) / spec.rateBps;
    await stream.arrival(enough, sendingMs + quietMs);
  } catch (error) {
    await stream.close();
    throw error;
  }
  return (await stream.close()).report;
}
