/** What went wrong with an SSH connection, in words. No message holds key material. */
import { messageOf, VnmError } from '../model/errors.ts';

export interface Place {
  /** Name of the substrate node. */
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** How far a connection had come. */
export type Phase = 'connecting' | 'handshake' | 'authentication';

export interface Reason {
  readonly reason: string;
  readonly hint: string;
}

/** `node 'n1' (192.0.2.1:22)`. */
export function nameOf(place: Place): string {
  return `node '${place.node}' (${place.host}:${place.port})`;
}

export function unreachable(place: Place, { reason, hint }: Reason, cause?: unknown): VnmError {
  return new VnmError('unreachable', `${nameOf(place)} cannot be reached: ${reason}`, { hint, cause });
}

/** The connection was there and is gone. */
export function lost(place: Place, cause?: unknown): VnmError {
  const reason = cause === undefined ? 'the node hung up' : reasonOf(cause);
  return new VnmError('unreachable', `the connection to ${nameOf(place)} was lost: ${reason}`, {
    hint: 'what is installed there stays; try again when the node answers',
    cause,
  });
}

export function interrupted(what: string, signal: AbortSignal | undefined): VnmError {
  return new VnmError('interrupted', `${what} was interrupted`, { cause: signal?.reason });
}

/** Why no connection came about, from what the socket or ssh2 reported; `undefined` when the node just closed it. */
export function explainFailure(error: unknown, phase: Phase): Reason {
  const known = systemErrors[codeOf(error) ?? ''];
  if (known !== undefined) return known;
  const reason = error === undefined ? 'the node hung up' : reasonOf(error);
  return { reason, hint: hints[phase] };
}

export function explainTimeout(phase: Phase, timeoutMs: number): Reason {
  const within = `within ${timeoutMs / 1000} s`;
  const reasons = {
    connecting: `no answer ${within}`,
    handshake: `it accepts connections, but no SSH handshake ${within}`,
    authentication: `the login was not done ${within}`,
  };
  return { reason: reasons[phase], hint: hints[phase] };
}

const noAnswer = 'is the node up, and does a firewall let this port through?';
const notSsh = 'does an SSH server listen on this port?';
const hints = {
  connecting: noAnswer,
  handshake: notSsh,
  authentication: "see the log of the node's SSH server",
} satisfies Record<Phase, string>;

const systemErrors: Record<string, Reason> = {
  ECONNREFUSED: { reason: 'connection refused', hint: notSsh },
  ECONNRESET: { reason: 'the node hung up', hint: notSsh },
  EPIPE: { reason: 'the node hung up', hint: notSsh },
  ENOTFOUND: { reason: 'host name not found', hint: 'check its spelling, or give an address' },
  EAI_AGAIN: { reason: 'the name server does not answer', hint: 'give an address instead of the host name' },
  EHOSTUNREACH: { reason: 'no route to the host', hint: noAnswer },
  ENETUNREACH: { reason: 'no route to its network', hint: noAnswer },
  ETIMEDOUT: { reason: 'no answer', hint: noAnswer },
};

const ssh2Messages: Record<string, string> = {
  'Keepalive timeout': 'it does not answer any more',
  'Connection lost before handshake': 'the node hung up',
};

function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return systemErrors[codeOf(error) ?? '']?.reason ?? ssh2Messages[message] ?? message;
}

/** The system's error code; of several tries (one per address of the host) that of the first. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
