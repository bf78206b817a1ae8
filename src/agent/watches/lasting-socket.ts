import type { Clock } from '../../clock/clock.ts';
import { type Endpoints, isRefused, type Remote, type UdpEndpoint } from '../dataplane/endpoints.ts';

/** One that fails at once, as while its address is unreachable, is not opened more often. */
const reopenMs = 1000;

export interface LastingSocketOptions {
  readonly address: string;
  /** Opened again, it has the port that it had at first. */
  readonly keepsPort: boolean;
  readonly onMessage: (datagram: Buffer, from: Remote) => void;
  /** The other end of a connected socket answered "port unreachable". */
  readonly onRefused: () => void;
}

/**
 * A UDP socket that is there again after it failed. Nothing happens to a bound one when its interface or address goes away and
 * comes back; but it cannot be bound meanwhile, and an administrator may destroy it (`ss --kill`).
 */
export interface LastingSocket {
  /** The port of the first opening. Rejects as `UdpEndpoint.bound` does, and then is to be closed. */
  readonly bound: Promise<number>;
  /** Undefined while there is none. If the last one failed, the next is begun. */
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
    // To bind may have failed already, so that no event tells it any more.
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
