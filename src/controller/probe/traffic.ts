import type { Flow } from '../../model/slice.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { FlowRecord } from '../../store/migrations.ts';
import { maxBufferBytes, type StreamReport } from '../../vsys/messages.ts';
import type { Agents } from '../nodes/agents.ts';
import { measureClocks } from '../nodes/clocks.ts';
import { type RunningStream, startStream } from './streams.ts';

/** Bytes of IPv4 and UDP around a payload. */
const headerBytes = 28;
const defaultPayloadBytes = 1470;
/** After the senders have stopped, missing packets count as lost when nothing has arrived for this long. */
const quietMs = 1500;

/** The running flows of a VN, which the agents of its end hosts send and receive. */
export interface Traffic {
  /** Stops all flows, waits for packets in flight, and counts. */
  finish(): Promise<CountedFlow[]>;
}

/** The counts of a flow, without the prediction, which the caller adds. */
export type CountedFlow = Omit<FlowRecord, 'predictedLost' | 'predictedAddedDelayMs'>;

/**
 * The UDP payload of a flow's packets: from the slice file, else 1470 bytes or, if less, the largest that fits the MTU.
 */
export function payloadBytes(flow: Flow, mtu: number): number {
  return flow.payloadBytes ?? Math.min(defaultPayloadBytes, mtu - headerBytes);
}

/** How long the agent of a busy end host may leave packets in their socket. */
const busyMs = 3000;
/** Linux needs at most a page of buffer for a small packet. */
const packetRoomBytes = 4096;

/** The size of the receive buffer for a flow's packets. */
function bufferBytes({ payloadBytes, rateBps }: { payloadBytes: number; rateBps: number }): number {
  const packets = (rateBps * busyMs) / (8 * payloadBytes * 1000);
  const perPacket = Math.max(packetRoomBytes, 2 * payloadBytes);
  return Math.min(maxBufferBytes, Math.ceil(packets * perPacket));
}

/** Starts all flows of the VN; they run until `finish`. If one cannot be started, stops the others and throws. */
export async function startTraffic(agents: Agents, { vn, access }: VnPlan, mtu: number): Promise<Traffic> {
  const hosts = new Map(access.map((link) => [link.endHost, link.hostEnd]));
  const begun = await Promise.allSettled(
    vn.flows.map(async (flow): Promise<[Flow, RunningStream]> => {
      const [from, to] = [hosts.get(flow.from)!, hosts.get(flow.to)!];
      const spec = { from, to, payloadBytes: payloadBytes(flow, mtu), rateBps: flow.rateBps };
      return [flow, await startStream(agents, { ...spec, bufferBytes: bufferBytes(spec) })];
    }),
  );
  const running = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const fault = begun.find((one) => one.status === 'rejected');
  if (fault !== undefined) {
    await Promise.allSettled(running.map(([, stream]) => stream.stop().then(stream.close)));
    throw fault.reason;
  }
  return {
    finish: async () => {
      const reports = await Promise.all(
        running.map(async ([flow, stream]) => ({ flow, ...(await finishStream(stream)) })),
      );
      const clocks = await measureClocks(
        agents,
        vn.endHosts.map((endHost) => endHost.node),
      );
      const offsetMs = (endHost: string) => clocks.get(hosts.get(endHost)!.node)!.offsetMs;
      return reports.map(({ flow, sent, report }) =>
        count(flow, sent, report, offsetMs(flow.from) - offsetMs(flow.to)),
      );
    },
  };
}

async function finishStream(stream: RunningStream): Promise<{ sent: number; report: StreamReport }> {
  const sent = await stream.stop();
  await stream.arrival(sent, quietMs);
  const { report } = await stream.close();
  return { sent, report };
}

/** `correctionMs` removes the difference of the two end hosts' clocks from the delays. */
function count(flow: Flow, sent: number, report: StreamReport, correctionMs: number): CountedFlow {
  const { received, reordered, duplicated, dropped, maxGapMs, delayMs } = report;
  // Some packets that the socket dropped may have been duplicates, or from others.
  const receiverDropped = Math.min(dropped, sent - received);
  return {
    from: flow.from,
    to: flow.to,
    sent,
    received,
    lost: sent - received - receiverDropped,
    receiverDropped,
    reordered,
    duplicated,
    maxGapMs,
    minLatencyMs: delayMs === undefined ? null : delayMs.min + correctionMs,
    maxLatencyMs: delayMs === undefined ? null : delayMs.max + correctionMs,
  };
}
