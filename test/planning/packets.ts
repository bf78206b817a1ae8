import type { UrpfMode } from '../../src/model/route.ts';

/** The actual behaviour of a gateway: true instants in ms, whatever its clock showed. */
export interface RealGateway {
  readonly redirectedAt: number;
  readonly gate?: { readonly closedAt: number; readonly openedAt: number };
}

export interface RealFlow {
  readonly source: RealGateway;
  readonly destination: RealGateway;
  readonly oldMs: number;
  readonly newMs: number;
}

/** Sums over packets, each of which represents the time to the next one. */
export interface Observed {
  readonly lostMs: number;
  readonly reorderedMs: number;
  readonly maxHeldMs: number;
}

/** With instants and latencies in whole ms, no packet is sent or arrives at the exact instant of a change. */
export const stepMs = 0.5;

/** Simulates one flow naively, packet by packet: send, hold, take the current path, arrive, be accepted or dropped. */
export function sendPackets(flow: RealFlow, urpf: UrpfMode, fromMs: number, toMs: number): Observed {
  const packets: { number: number; onNew: boolean; arrivesAt: number; heldMs: number }[] = [];
  for (let number = 0; fromMs + (number + 0.5) * stepMs < toMs; number++) {
    const sentAt = fromMs + (number + 0.5) * stepMs;
    const gate = flow.source.gate;
    const leavesAt = gate !== undefined && sentAt >= gate.closedAt && sentAt < gate.openedAt ? gate.openedAt : sentAt;
    const onNew = leavesAt >= flow.source.redirectedAt;
    packets.push({
      number,
      onNew,
      arrivesAt: leavesAt + (onNew ? flow.newMs : flow.oldMs),
      heldMs: leavesAt - sentAt,
    });
  }
  const byArrival = packets.toSorted((a, b) => a.arrivesAt - b.arrivesAt);
  let lost = 0;
  let reordered = 0;
  let highest = -1;
  for (const { number, onNew, arrivesAt } of byArrival) {
    const accepted = urpf !== 'strict' || onNew === arrivesAt >= flow.destination.redirectedAt;
    if (!accepted) lost += 1;
    else if (number < highest) reordered += 1;
    else highest = number;
  }
  const maxHeldMs = Math.max(...packets.map(({ heldMs }) => heldMs));
  return { lostMs: lost * stepMs, reorderedMs: reordered * stepMs, maxHeldMs };
}
