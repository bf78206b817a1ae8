import type { Clock } from '../../clock/clock.ts';
import { type Endpoints, isRefused, type Remote, type UdpEndpoint } from '../dataplane/endpoints.ts';

/** The shortest time between two openings: a socket may fail at once, for example while its address is unreachable. */
const reopenMs = 1000;

export interface LastingSocketOptions {
  readonly address: string;
  /** When it opens again, it uses the port that it had at first. */
  readonly keepsPort: boolean;
  readonly onMessage: (datagram: Buffer, from: Remote) => void;
  /** Called when the other end of a connected socket answered "port unreachable". */
  readonly onRefused: () => void;
}

/**
 * A UDP socket that opens again after it has failed. A bound socket survives the loss and return of its interface or
 * address; but it cannot be bound meanwhile, and an administrator may destroy it (`ss --kill`).
 */
export interface LastingSocket {
  /** The port of the first opening. Rejects as `UdpEndpoint.bound` does, and must then be closed. */
  readonly bound: Promise<number>;
  /** Returns undefined while there is no socket. If the last one failed, begins to open the next. */
  current(): UdpEndpoint | undefined;
  close(): Promise<void>;
}

export function createLastingSocket(
  endpoints: Pick<Endpoints, 'openUdp'>,
  options: LastingSocketOptions,
  clock: Pick<Clock, 'monotonicMs'>,
): LastingSocket {
  const { address, keepsPort, onMessage, onRefused } = options;
  let port = 0;
  let openedMs = clock.monotonicMs();
  let state: 'opening' | 'open' | 'failed' | 'closed' = 'opening';
  let udp = open();
  const bound = udp.bound;

  function open(): UdpEndpoint {
    const fail = () => {
      if (state !== 'closed') state = 'failed';
      void opened.close();
    };
    const onError = (error: Error) => {
      if (isRefused(error)) onRefused();
      else fail();
    };
    const opened = endpoints.openUdp({ address, port, onMessage, onError });
    // Binding may have failed already, with no further event to report it.
    opened.bound.then((boundPort) => {
      if (keepsPort) port = boundPort;
      if (state === 'opening') state = 'open';
    }, fail);
    return opened;
  }

  return {
    bound,
    current() {
      const nowMs = clock.monotonicMs();
      if (state === 'failed' && nowMs - openedMs >= reopenMs) {
        openedMs = nowMs;
        state = 'opening';
        udp = open();
      }
      return state === 'open' ? udp : undefined;
    },
    close() {
      state = 'closed';
      return udp.close();
    },
  };
}
