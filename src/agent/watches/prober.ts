import { randomInt } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import type { Params } from '../../vsys/messages.ts';
import { type Endpoints, isRefused, type UdpEndpoint } from '../dataplane/endpoints.ts';
import { closedPorts } from '../reach.ts';
import { createLastingSocket } from './lasting-socket.ts';
import { decodePacket, encodePacket } from './packet.ts';
import { createTally, type Tally } from './tally.ts';

export type Target = Params<'watch'>['targets'][number];

/** Probes one target. */
export interface Prober {
  readonly tally: Tally;
  /** Sends one probe. A failure to send (no address, no route) is not reported: the probe will be missed. */
  probe(timeoutMs: number): void;
  close(): Promise<void>;
}

/** Creates a prober with its own socket, since only a connected socket receives ICMP errors. */
export function createProber(
  endpoints: Pick<Endpoints, 'openUdp'>,
  from: string,
  { to, port }: Target,
  prefix: Buffer,
  clock: Pick<Clock, 'monotonicMs'>,
): Prober {
  const tally = createTally();
  const isRouter = port === undefined;
  const remote = { address: to, port: port ?? closedPorts.first + randomInt(closedPorts.count) };
  const options = { address: from, keepsPort: false, onMessage, onRefused: hearRefusal };
  const lasting = createLastingSocket(endpoints, options, clock);
  let sequence = 0;
  let connected: UdpEndpoint | undefined;

  function onMessage(datagram: Buffer): void {
    const packet = decodePacket(prefix, datagram);
    if (isRouter) tally.heard(clock.monotonicMs());
    else if (packet?.kind === 'echo') tally.heard(clock.monotonicMs(), packet.sequence);
  }

  /**
   * The address exists, even if no agent listens: a restarted agent has another port, which the controller will send
   * here.
   */
  function hearRefusal(atMs = clock.monotonicMs()): void {
    tally.heard(atMs);
  }

  function send(socket: UdpEndpoint, packet: Buffer, sentAtMs: number): void {
    socket.send(packet, undefined, (error) => {
      // The kernel reports this for an earlier probe and has not sent this one.
      if (isRefused(error)) hearRefusal(sentAtMs);
    });
  }

  return {
    tally,
    probe(timeoutMs) {
      const sentAtMs = clock.monotonicMs();
      const packet = encodePacket(prefix, { kind: 'probe', sequence });
      tally.sent({ sequence, sentAtMs, deadlineMs: sentAtMs + timeoutMs });
      sequence = (sequence + 1) % 2 ** 32;
      const socket = lasting.current();
      if (socket === undefined) return;
      if (socket === connected) return send(socket, packet, sentAtMs);
      // Connecting fails while there is no route.
      socket.connect(remote, (error) => {
        if (error || lasting.current() !== socket) return;
        connected = socket;
        send(socket, packet, sentAtMs);
      });
    },
    close: lasting.close,
  };
}
