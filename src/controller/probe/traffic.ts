import type { Flow } from '../../model/slice.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { FlowRecord } from '../../store/migrations.ts';
import { maxBufferBytes, type StreamReport } from '../../vsys/messages.ts';
import type { Agents } from '../nodes/agents.ts';
import { measureClocks } from '../nodes/clocks.ts';
import { type RunningStream, settle, startStream } from './streams.ts';

/** Bytes of IPv4 and UDP around a payload. */
const headerBytes = 28;
const defaultPayloadBytes = 1470;
/** How long nothing may arrive, after the senders have stopped, before what is missing counts as lost. */
const quietMs = 1500;

/** The flows of a VN being sent and received by the agents of its end hosts. */
export interface Traffic {
  /** Stops all flows, waits for what is under way, and counts. */
  finish(): Promise<CountedFlow[]>;
}

/** A flow without what was predicted for it, which is the caller's. */
export type CountedFlow = Omit<FlowRecord, 'predictedLost' | 'predictedAddedDelayMs'>;

/** UDP payload of a flow's packets: as the slice file says, else 1470 bytes or the largest that the tunnels carry whole. */
export function payloadBytes(flow: Flow, mtu: number): number {
  return flow.payloadBytes ?? Math.min(defaultPayloadBytes, mtu - headerBytes);
}

/** How long the agent of a busy end host may leave packets in their socket. */
const busyMs = 3000;
/** Linux takes a page or less for a packet, whatever it holds. */
const packetRoomBytes = 4096;

/** Receive buffer for a flow's packets. */
function bufferBytes({ payloadBytes, rateBps }: { payloadBytes: number; rateBps: number }): number {
  const packets = (rateBps * busyMs) / (8 * payloadBytes * 1000);
  const perPacket = Math.max(packetRoomBytes, 2 * payloadBytes);
  return Math.min(maxBufferBytes, Math.ceil(packets * perPacket));
}

/** Starts all flows of the VN; they run until `finish`. When one cannot be started, none runs. */
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
  await settle(stream, sent, quietMs);
  const { report } = await stream.close();
  return { sent, report };
}

/** `correctionMs` takes the difference of the two end hosts' clocks out of the delays. */
function count(flow: Flow, sent: number, report: StreamReport, correctionMs: number): CountedFlow {
  const { received, reordered, duplicated, dropped, maxGapMs, delayMs } = report;
  // Of what the socket had no room for, some may have been of somebody else, or duplicates.
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
