/** Describes what went wrong with an SSH connection. No message contains key material. */
import { messageOf, VnmError } from '../model/errors.ts';
import { endpointText } from '../model/ssh-way.ts';
import type { Greeting } from './ssh-greeting.ts';
import type { Place } from './ssh-types.ts';

/** How far a connection got. */
type Phase = 'connecting' | 'handshake' | 'authentication';

export interface Reason {
  readonly reason: string;
  readonly hint: string;
}

/** Returns `node 'n1' (192.0.2.1:22)`. */
export function nameOf({ node, host, port, what = `node '${node}'` }: Place): string {
  return `${what} (${endpointText(host, port)})`;
}

export function unreachable(place: Place, { reason, hint }: Reason, cause?: unknown): VnmError {
  return new VnmError('unreachable', `${nameOf(place)} cannot be reached: ${reason}`, { hint, cause });
}

/** Returns the reason for a fault that another fault has caused, such as that of a jump host. */
export function because({ message, hint = 'try again' }: VnmError): Reason {
  return { reason: message, hint };
}

/** An established connection was lost. */
export function lost(place: Place, cause?: unknown): VnmError {
  const reason = cause === undefined ? hungUp : reasonOf(cause);
  return new VnmError('unreachable', `the connection to ${nameOf(place)} was lost: ${reason}`, {
    hint: 'try again when the node answers; everything installed there stays',
    cause,
  });
}

export function interrupted(what: string, signal: AbortSignal | undefined): VnmError {
  return new VnmError('interrupted', `${what} was interrupted`, { cause: signal?.reason });
}

/** Returns what to do about a node that took too long: it may only be slow. */
export function patienceHint(otherwise: string): string {
  return `${otherwise}; if the node is only slow, give it more time with 'ssh: { patience: SECONDS }' in the slice file`;
}

/** What is known about a connection attempt that failed. */
export interface Attempt {
  readonly phase: Phase;
  readonly greeting?: Greeting;
  /** Whether a host key of the place is known. */
  readonly isKnown?: boolean;
}

/**
 * Returns why no connection was made, from what the socket or ssh2 reported; `error` is `undefined` when the node just
 * closed it.
 */
export function explainFailure(error: unknown, { phase, greeting, isKnown = false }: Attempt): Reason {
  const ident = greeting?.ident();
  if (phase === 'handshake' && greeting !== undefined) {
    const kind = /^Handshake failed: no matching (.+)$/.exec(messageOf(error))?.[1];
    if (kind !== undefined) return nothingInCommon(kind, greeting);
    const isHangUp = error === undefined || reasonOf(error) === hungUp;
    if (isHangUp && ident !== undefined) return { reason: `${hungUp} (${ident})`, hint: hints.authentication };
    if (isHangUp && greeting.isBusy() && (isKnown || greeting.text() !== '')) {
      const said = greeting.text() === '' ? 'before it said anything' : `and said '${greeting.text()}'`;
      return { reason: `${hungUp} ${said}`, hint: tooBusy };
    }
  }
  const known = systemErrors[codeOf(error) ?? ''];
  if (known !== undefined) return known;
  const reason = error === undefined ? hungUp : reasonOf(error);
  return { reason, hint: ident === undefined ? hints[phase] : hints.authentication };
}

function nothingInCommon(kind: string, greeting: Greeting): Reason {
  const offers = greeting.offers(kind);
  const lists = offers === undefined ? '' : `: it offers ${offers.theirs}; pl-vnm offers ${offers.ours}`;
  return {
    reason: `no common ${kind} with its SSH server (${greeting.ident() ?? 'of unknown version'})${lists}`,
    hint: "allow one of pl-vnm's algorithms in the node's sshd_config (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs), or update its SSH server",
  };
}

export function explainTimeout({ phase, greeting }: Attempt, timeoutMs: number): Reason {
  const within = `within ${timeoutMs / 1000} s`;
  const reasons = {
    connecting: `no answer ${within}`,
    handshake: `it accepts connections, but made no SSH handshake ${within}`,
    authentication: `the login did not finish ${within}`,
  };
  const hint = greeting?.ident() === undefined ? hints[phase] : hints.authentication;
  return { reason: reasons[phase], hint: patienceHint(hint) };
}

const hungUp = 'the node hung up';
const tooBusy =
  'its SSH server drops log-ins (MaxStartups, penalties), or something in front of it does (fail2ban): try again later, with fewer commands at a time';
/** What to do about a server that a jump host does not connect to. */
export const behindHint =
  'check that it is up, that the jump host knows its name and reaches this port, and that it may forward (AllowTcpForwarding, PermitOpen)';
const noAnswer = 'check that the node is up and that no firewall blocks this port';
const notSsh = 'check that an SSH server listens on this port';
const hints = {
  connecting: noAnswer,
  handshake: notSsh,
  authentication: "see the log of the node's SSH server",
} satisfies Record<Phase, string>;

const systemErrors: Record<string, Reason> = {
  ECONNREFUSED: { reason: 'connection refused', hint: notSsh },
  ECONNRESET: { reason: hungUp, hint: notSsh },
  EPIPE: { reason: hungUp, hint: notSsh },
  ENOTFOUND: { reason: 'host name not found', hint: 'check its spelling, or give an address' },
  EAI_AGAIN: { reason: 'the name server does not answer', hint: 'give an address instead of the host name' },
  EHOSTUNREACH: { reason: 'no route to the host', hint: noAnswer },
  ENETUNREACH: { reason: 'no route to its network', hint: noAnswer },
  ETIMEDOUT: { reason: 'no answer', hint: noAnswer },
};

/** Returns the reason for a system's error code, if it is known. */
export function reasonFor(code: string): Reason | undefined {
  return systemErrors[code];
}

const ssh2Messages: Record<string, string> = {
  'Keepalive timeout': 'it no longer answers',
  'Connection lost before handshake': hungUp,
};

function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return systemErrors[codeOf(error) ?? '']?.reason ?? ssh2Messages[message] ?? message;
}

/** Returns the system's error code; for several tries (one per address of the host) that of the first. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
