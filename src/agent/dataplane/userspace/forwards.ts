/**
 * Forwards: programs of end hosts use UDP ports of other end hosts by 127.0.0.1.
 *
 *     client ──► 127.0.0.1:LOCAL [listen] ──► packets from ADDRESS, a port per client ──► VN ──►
 *       ──► ADDRESS:PORT [deliver] ──► from 127.0.0.1, a port per sender ──► program at 127.0.0.1:PORT
 */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { ForwardSide } from '../../../vsys/operations.ts';
import { isPortTaken, type Remote, type UdpEndpoint, type UdpOptions } from '../endpoints.ts';
import { listenLocal, localAddress, openLocal } from './local-socket.ts';
import { createPeers, type Peer, type PeerEvents } from './peers.ts';

export interface ForwardsParts {
  readonly openUdp: (options: UdpOptions) => UdpEndpoint;
  /** As `openUdp`, for an address that the batch in progress adds. */
  readonly openAhead: (options: UdpOptions) => UdpEndpoint;
  readonly log: (event: string) => void;
}

/** By `forwardKey`. */
type Sides = ReadonlyMap<string, ForwardSide>;

export interface Forwards {
  /** Opens what a former agent had. Returns what could be opened, and logs the rest. */
  resume(sides: Sides): Promise<Sides>;
  /**
   * Opens what `next` has in addition; all else waits for `use`. Throws VnmError `conflict` for a port that is taken,
   * `failed`; then nothing more is open.
   */
  prepare(next: Sides): Promise<Prepared>;
  close(): void;
}

interface Prepared {
  use(): void;
  abandon(): void;
}

/** An open side. */
interface Running {
  readonly side: ForwardSide;
  /** Leads elsewhere from now on. */
  change(side: ForwardSide): Running;
  close(): void;
}

type Side<Name extends ForwardSide['side']> = Extract<ForwardSide, { side: Name }>;

export function createForwards(parts: ForwardsParts): Forwards {
  let running: ReadonlyMap<string, Running> = new Map();
  const open = (side: ForwardSide) => (side.side === 'listen' ? openListener(side, parts) : openDelivery(side, parts));

  async function openAll(sides: Iterable<[string, ForwardSide]>): Promise<Map<string, Running>> {
    const opened = new Map<string, Running>();
    try {
      for (const [key, side] of sides) opened.set(key, await open(side));
    } catch (error) {
      for (const one of opened.values()) one.close();
      throw error;
    }
    return opened;
  }

  return {
    async resume(sides) {
      const resumed = new Map<string, Running>();
      for (const [key, side] of sides) {
        try {
          resumed.set(key, await open(side));
        } catch (error) {
          parts.log(messageOf(error));
        }
      }
      running = resumed;
      return new Map([...resumed].map(([key, { side }]) => [key, side]));
    },
    async prepare(next) {
      const opened = await openAll([...next].filter(([key]) => !running.has(key)));
      return {
        use() {
          for (const [key, one] of running) if (!next.has(key)) one.close();
          running = new Map(
            [...next].map(([key, side]) => {
              const one = opened.get(key) ?? running.get(key)!;
              return [key, one.side === side ? one : one.change(side)];
            }),
          );
        },
        abandon() {
          for (const one of opened.values()) one.close();
        },
      };
    },
    close() {
      for (const one of running.values()) one.close();
      running = new Map();
    },
  };
}

async function openListener(side: Side<'listen'>, { openUdp, log }: ForwardsParts): Promise<Running> {
  const local = await listenLocal(side.localPort);
  local.on('error', (error) => log(`forward at ${localAddress}:${side.localPort}: ${error.message}`));
  let { address, to } = side;

  function openClient(client: Remote, { used, failed }: PeerEvents): Peer {
    const remote = to;
    const udp = openUdp({
      address,
      onMessage(datagram, from) {
        if (from.address !== remote.address || from.port !== remote.port) return;
        used();
        local.send(datagram, client.port, client.address);
      },
    });
    // The address may be without an interface that is up.
    udp.bound.catch(failed);
    return { send: (datagram) => udp.send(datagram, remote), close: () => void udp.close() };
  }

  const clients = createPeers(openClient);
  local.on('message', (datagram, client) => {
    try {
      clients.take(datagram, client);
    } catch (error) {
      // All ports are in use.
      log(messageOf(error));
    }
  });

  const runningAs = (current: ForwardSide): Running => ({
    side: current,
    change(next) {
      ({ address, to } = next as Side<'listen'>);
      clients.close();
      return runningAs(next);
    },
    close() {
      clients.close();
      local.close();
    },
  });
  return runningAs(side);
}

async function openDelivery(side: Side<'deliver'>, { openAhead, log }: ForwardsParts): Promise<Running> {
  const { address, port } = side;

  function openSender(sender: Remote, { used, failed }: PeerEvents): Peer {
    const local = openLocal({
      onMessage(datagram, from) {
        // Other programs of this node could guess the port.
        if (from.address !== localAddress || from.port !== port) return;
        used();
        udp.send(datagram, sender);
      },
      onError(error) {
        log(`forward at ${address}:${port}: ${error.message}`);
        failed();
      },
    });
    return { send: (datagram) => local.send(datagram, port, localAddress), close: () => local.close() };
  }

  const senders = createPeers(openSender);
  const udp = openAhead({ address, port, onMessage: senders.take });
  try {
    await udp.bound;
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    throw new VnmError('conflict', `UDP port ${port} of ${address}, where a forward has to deliver, is in use`, {
      hint: 'give the forward another toPort, or wait until the test traffic there has ended',
      cause: error,
    });
  }
  const running: Running = {
    side,
    change: () => running,
    close() {
      senders.close();
      void udp.close();
    },
  };
  return running;
}
