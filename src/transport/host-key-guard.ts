/** Decides whether a server's host key is trusted, and says why when it is not. */
import { messageOf, type VnmError } from '../model/errors.ts';
import { addHostKey, authorityFor, readKnownHosts, verifyHostKey } from './known-hosts.ts';
import {
  fingerprint,
  type HostKeyAlgorithm,
  type HostKeyVerdict,
  hasHostKey,
  hostLabel,
  type KnownHost,
  keyTypeOf,
  preferredAlgorithms,
} from './known-hosts-format.ts';
import { type Reason, unreachable } from './ssh-errors.ts';
import type { Place, SshServer } from './ssh-types.ts';

export interface HostKeyGuard {
  /** The algorithms to offer to the server, in this order. */
  readonly algorithms: HostKeyAlgorithm[];
  /** Whether known_hosts has a key of the server. */
  readonly isKnown: boolean;
  /** Whether to continue with this key. ssh2 asks again whenever session keys are renewed. */
  accepts(key: Buffer): boolean;
  /** Why a key was not accepted. */
  refusal(): VnmError | undefined;
}

/** How known_hosts names a server. */
interface KnownAs {
  readonly host: string;
  readonly port: number;
}

/** Throws VnmError `unreachable` when a known_hosts file cannot be read. */
export function hostKeyGuard(place: SshServer, acceptNew: boolean): HostKeyGuard {
  const { files, addTo, alias } = place.knownHosts;
  // An alias stands for itself, whatever the port.
  const known = alias === undefined ? place : { host: alias, port: 22 };
  const entries = read(place, files);
  const algorithms = preferredAlgorithms(entries, known.host, known.port);
  let accepted: Buffer | undefined;
  let refusal: VnmError | undefined;

  const judge = (key: Buffer): VnmError | undefined => {
    // Reading, judging and adding are one step, so that simultaneous connections trust one key, not two.
    const verdict = verifyHostKey(files, known.host, known.port, key);
    if (verdict.status === 'known') return undefined;
    if (verdict.status !== 'unknown' || !acceptNew) return unreachable(place, explain(known, verdict, key, files));
    return add(place, known, addTo, key);
  };

  return {
    algorithms,
    isKnown: hasHostKey(entries, known.host, known.port),
    refusal: () => refusal,
    accepts: (key) => {
      if (accepted?.equals(key)) return true;
      refusal = judge(key);
      if (refusal === undefined) accepted = key;
      return refusal === undefined;
    },
  };
}

function explain(known: KnownAs, verdict: HostKeyVerdict, key: Buffer, files: readonly string[]): Reason {
  const shown = `${keyTypeOf(key)} ${fingerprint(key)}`;
  if (verdict.status === 'revoked') {
    return {
      reason: `its host key ${shown} is revoked by ${verdict.file}:${verdict.line}`,
      hint: 'do not connect; ask whoever runs the node for a new host key',
    };
  }
  if (verdict.status === 'changed') {
    return {
      reason: `its host key has changed to ${shown}; ${verdict.file}:${verdict.line} has another one`,
      hint:
        'someone may be intercepting the connection; if you know that the change is legitimate, remove the old key: ' +
        `ssh-keygen -R '${hostLabel(known.host, known.port)}' -f ${verdict.file}`,
    };
  }
  const authority = authorityFor(files, known.host, known.port);
  if (authority !== undefined) {
    return {
      reason: `its host key ${shown} is unknown: ${authority.file}:${authority.line} has a certificate authority for it (@cert-authority), which only the program ssh can use`,
      hint: "let ssh connect ('ssh: { transport: openssh }' in the slice file); or add the host key itself: compare the fingerprint with the node, then repeat with --accept-new-host-keys",
    };
  }
  return {
    reason: `its host key ${shown} is unknown`,
    hint: 'compare the fingerprint with the node, then repeat with --accept-new-host-keys',
  };
}

function add(place: Place, known: KnownAs, file: string, key: Buffer): VnmError | undefined {
  try {
    addHostKey(file, known.host, known.port, key);
    return undefined;
  } catch (error) {
    const reason = `its host key cannot be added to ${file}: ${messageOf(error)}`;
    return unreachable(place, { reason, hint: 'make the file writable' }, error);
  }
}

function read(place: Place, files: readonly string[]): KnownHost[] {
  try {
    return readKnownHosts(files);
  } catch (error) {
    const reason = `its host key cannot be verified: ${messageOf(error)}`;
    throw unreachable(place, { reason, hint: 'make the file readable' }, error);
  }
}
