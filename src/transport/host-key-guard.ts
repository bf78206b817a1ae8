/** Decides whether a server's host key is trusted, and says why when it is not. */
import { messageOf, type VnmError } from '../model/errors.ts';
import {
  addHostKey,
  authorityFor,
  knownHostsFiles,
  readKnownHosts,
  userKnownHostsFile,
  verifyHostKey,
} from './known-hosts.ts';
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
import { type Place, type Reason, unreachable } from './ssh-errors.ts';

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

/** Throws VnmError `unreachable` when a known_hosts file cannot be read. */
export function hostKeyGuard(place: Place & { knownHostsPath?: string }, acceptNew: boolean): HostKeyGuard {
  const files = knownHostsFiles(place.knownHostsPath);
  const entries = read(place, files);
  const algorithms = preferredAlgorithms(entries, place.host, place.port);
  let accepted: Buffer | undefined;
  let refusal: VnmError | undefined;

  const judge = (key: Buffer): VnmError | undefined => {
    // Reading, judging and adding are one step, so that simultaneous connections trust one key, not two.
    const verdict = verifyHostKey(files, place.host, place.port, key);
    if (verdict.status === 'known') return undefined;
    if (verdict.status !== 'unknown' || !acceptNew) return unreachable(place, explain(place, verdict, key, files));
    return add(place, place.knownHostsPath ?? userKnownHostsFile(), key);
  };

  return {
    algorithms,
    isKnown: hasHostKey(entries, place.host, place.port),
    refusal: () => refusal,
    accepts: (key) => {
      if (accepted?.equals(key)) return true;
      refusal = judge(key);
      if (refusal === undefined) accepted = key;
      return refusal === undefined;
    },
  };
}

function explain(place: Place, verdict: HostKeyVerdict, key: Buffer, files: readonly string[]): Reason {
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
        `ssh-keygen -R '${hostLabel(place.host, place.port)}' -f ${verdict.file}`,
    };
  }
  const authority = authorityFor(files, place.host, place.port);
  if (authority !== undefined) {
    return {
      reason: `its host key ${shown} is unknown: ${authority.file}:${authority.line} has a certificate authority for it (@cert-authority), and host certificates are not checked yet`,
      hint: 'add the host key itself: compare the fingerprint with the node, then repeat with --accept-new-host-keys',
    };
  }
  return {
    reason: `its host key ${shown} is unknown`,
    hint: 'compare the fingerprint with the node, then repeat with --accept-new-host-keys',
  };
}

function add(place: Place, file: string, key: Buffer): VnmError | undefined {
  try {
    addHostKey(file, place.host, place.port, key);
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
