/** Where test traffic, probes and watches of a node begin and end: at its addresses in the slice, over what its plane forwards. */
import { VnmError } from '../../model/errors.ts';
import type { Params, Results } from '../../vsys/messages.ts';

export interface Endpoints {
  openUdp(options: UdpOptions): UdpEndpoint;
  /** Whether each address answered. Undefined where this node has nothing that can ask, or may not. */
  echo(request: EchoRequest, signal: AbortSignal): Promise<boolean[] | undefined>;
  /** In the order asked; null where nothing answered at all, or this node has nothing that can ask. `ended`: aborts when no one waits. */
  packetSizes(params: Params<'packet_sizes'>, ended?: AbortSignal): Promise<Results['packet_sizes']>;
  /** Largest IP packet to each address that leaves in one piece, as far as this node knows by now. VnmError `failed` where there is no way. */
  pathMtu(addresses: readonly string[]): Promise<number[]>;
}

export interface Remote {
  readonly address: string;
  readonly port: number;
}

/** Errors have the system's codes; see `isRefused`. */
export interface UdpOptions {
  /** Of the node's own stack. */
  readonly address: string;
  /** Of the plane's choice without it. */
  readonly port?: number;
  readonly onMessage?: (datagram: Buffer, from: Remote) => void;
  /** Of the whole socket, or of a packet that was sent before. Never called before `openUdp` has returned. */
  readonly onError?: (error: Error) => void;
}

/** Packets are sent with Don't Fragment, and lost without a word where there is no way for them. */
export interface UdpEndpoint {
  /** The port, once bound. Rejects with VnmError: `not-found` when the address is not on this node, else `failed`. */
  readonly bound: Promise<number>;
  /** From then on it hears from this one only, and learns when it refuses. Fails while there is no way to it. */
  connect(to: Remote, done: (error?: Error | null) => void): void;
  /** `to`: absent when connected. The packet is not to be changed any more. */
  send(packet: Buffer | readonly Buffer[], to?: Remote, done?: (error: Error | null) => void): void;
  /** What was sent, and is not on its way yet. */
  queuedPackets(): number;
  queuedBytes(): number;
  /** Room for what waits to be read: `bytes` of it, or as much as may be had. */
  makeRoom(bytes: number): Promise<void>;
  /** Packets that reached it, and that it had no room for; 0 where they are not counted. */
  drops(): Promise<number>;
  /** Resolves when it is closed; may be called again. */
  close(): Promise<void>;
}

export interface EchoRequest {
  readonly from: string;
  readonly to: readonly string[];
  /** Of the whole IP packet, which is then sent with Don't Fragment. */
  readonly bytes?: number | undefined;
  readonly timeoutMs: number;
}

/** Of all errors only this one comes from the other end: its port is closed. */
export function isRefused(error: Error | null | undefined): boolean {
  return codeOf(error) === 'ECONNREFUSED';
}

/** Whether a `bound` was rejected because something else has the port. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof VnmError && codeOf(error.cause) === 'EADDRINUSE';
}

/** What `bound` rejects with. */
export function bindError(address: string, error: Error): VnmError {
  if (codeOf(error) === 'EADDRNOTAVAIL') {
    return new VnmError('not-found', `${address} is not an address of this node`, {
      hint: 'name an address that an interface of the node itself has (not one in a router namespace)',
      cause: error,
    });
  }
  return new VnmError('failed', `cannot open a UDP socket on ${address}: ${error.message}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null | undefined)?.code;
}
