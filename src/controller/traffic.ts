import type { Flow, Slice, VirtualNetwork } from '../model/slice.ts';
import { planAccess } from '../planning/instance.ts';
import type { FlowRecord } from '../store/migrations.ts';
import type { Agents } from './agents.ts';
import { type RunningStream, settle, startStream } from './streams.ts';

/** Bytes of IPv4 and UDP around a payload. */
const headerBytes = 28;
const defaultPayloadBytes = 1470;
/** How long nothing may arrive, after the senders have stopped, before what is missing counts as lost. */
const quietMs = 1500;

/** The flows of a VN being sent and received by the agents of its end hosts. */
export interface Traffic {
  /** Stops all flows, waits for what is under way, and counts. Predictions are the caller's. */
  finish(): Promise<Omit<FlowRecord, 'predictedLost'>[]>;
}

/** UDP payload of a flow's packets: as the slice file says, else 1470 bytes or the largest that the tunnels carry whole. */
export function payloadBytes(flow: Flow, mtu: number): number {
  return flow.payloadBytes ?? Math.min(defaultPayloadBytes, mtu - headerBytes);
}

/** Starts all flows of the VN; they run until `finish`. */
export async function startTraffic(agents: Agents, slice: Slice, vn: VirtualNetwork, mtu: number): Promise<Traffic> {
  const hosts = new Map(planAccess(slice, vn).map((link) => [link.endHost, link.hostEnd]));
  const running = await Promise.all(
    vn.flows.map(async (flow): Promise<[Flow, RunningStream]> => {
      const [from, to] = [hosts.get(flow.from)!, hosts.get(flow.to)!];
      const spec = { from, to, payloadBytes: payloadBytes(flow, mtu), rateBps: flow.rateBps };
      return [flow, await startStream(agents, spec)];
    }),
  );
  return { finish: () => Promise.all(running.map(([flow, stream]) => finishFlow(flow, stream))) };
}

async function finishFlow(flow: Flow, stream: RunningStream): Promise<Omit<FlowRecord, 'predictedLost'>> {
  const sent = await stream.stop();
  await settle(stream, sent, quietMs);
  const { report } = await stream.close();
  const { received, reordered, duplicated, maxGapMs } = report;
  return { from: flow.from, to: flow.to, sent, received, lost: sent - received, reordered, duplicated, maxGapMs };
}
