/**
 * Where test traffic, probes and watches of a node begin and end: at its addresses in the slice, over what its plane
 * forwards.
 */
import { VnmError } from '../../model/errors.ts';
import type { Params, Results } from '../../vsys/messages.ts';

export interface Endpoints {
  openUdp(options: UdpOptions): UdpEndpoint;
  /**
   * Whether each address answered. Undefined if this node has no program that can send requests, or may not send them.
   */
  echo(request: EchoRequest, signal: AbortSignal): Promise<boolean[] | undefined>;
  /**
   * Returns sizes in the order of the probes; null if nothing answered, or this node has no program that can probe.
   * `ended`: aborts when the caller no longer waits.
   */
  packetSizes(params: Params<'packet_sizes'>, ended?: AbortSignal): Promise<Results['packet_sizes']>;
  /**
   * Returns the largest IP packet to each address that leaves unfragmented, as far as this node knows. Throws VnmError
   * `failed` if there is no route.
   */
  pathMtu(addresses: readonly string[]): Promise<number[]>;
}

export interface Remote {
  readonly address: string;
  readonly port: number;
}

/** Options of a UDP socket. Errors have the system's codes; see `isRefused`. */
export interface UdpOptions {
  /** An address in the node's own stack. */
  readonly address: string;
  /** If absent, the plane chooses. */
  readonly port?: number;
  readonly onMessage?: (datagram: Buffer, from: Remote) => void;
  /**
   * Called for an error of the whole socket, or of a packet that was sent earlier. Never called before `openUdp` has
   * returned.
   */
  readonly onError?: (error: Error) => void;
}

/** A UDP socket. It sends packets with Don't Fragment set; they are lost silently if there is no route. */
export interface UdpEndpoint {
  /** The port, once bound. Rejects with VnmError: `not-found` when the address is not on this node, else `failed`. */
  readonly bound: Promise<number>;
  /**
   * From then on it receives from this remote only, and learns when it refuses. Fails while there is no route to it.
   */
  connect(to: Remote, done: (error?: Error | null) => void): void;
  /** `to`: absent when connected. The caller must not change the packet afterwards. */
  send(packet: Buffer | readonly Buffer[], to?: Remote, done?: (error: Error | null) => void): void;
  /** Packets that were sent and have not left yet. */
  queuedPackets(): number;
  queuedBytes(): number;
  /** Enlarges the receive buffer to `bytes`, or as far as is allowed. */
  makeRoom(bytes: number): Promise<void>;
  /** Returns the number of packets that reached it while its buffer was full; 0 if the system does not count them. */
  drops(): Promise<number>;
  /** Resolves when it is closed; may be called again. */
  close(): Promise<void>;
}

export interface EchoRequest {
  readonly from: string;
  readonly to: readonly string[];
  /** Size of the whole IP packet, which is then sent with Don't Fragment set. */
  readonly bytes?: number | undefined;
  readonly timeoutMs: number;
}

/** Whether the other end reported its port as closed. No other error comes from the other end. */
export function isRefused(error: Error | null | undefined): boolean {
  return codeOf(error) === 'ECONNREFUSED';
}

/** Whether `bound` was rejected because the port is in use. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof VnmError && codeOf(error.cause) === 'EADDRINUSE';
}

/** Returns the error that `bound` rejects with. */
export function bindError(address: string, error: Error): VnmError {
  if (codeOf(error) === 'EADDRNOTAVAIL') {
    return new VnmError('not-found', `${address} is not an address of this node`, {
      hint: 'give an address of an interface of the node itself (not of a router namespace)',
      cause: error,
    });
  }
  return new VnmError('failed', `cannot open a UDP socket on ${address}: ${error.message}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null | undefined)?.code;
}
