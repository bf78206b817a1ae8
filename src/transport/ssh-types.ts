/** Types that the files of an SSH session share. */
import type { VnmError } from '../model/errors.ts';

export interface SshTarget {
  /** Name of the substrate node. */
  readonly node: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A private key file, `~/` expanded. Without it the ssh agent and the usual keys are tried. */
  readonly keyPath?: string;
  /** A known_hosts file to consult before the user's; accepted keys are added to it. */
  readonly knownHostsPath?: string;
  /** Seconds, the unit of all limits: see model/patience.ts. */
  readonly patience?: number;
}

export interface SshOptions {
  /** Adds the key of an unknown host to known_hosts instead of refusing it. */
  readonly acceptNewHostKeys: boolean;
  /** Limit for the connection, the handshake and the login together. By default the target's patience decides. */
  readonly connectTimeoutMs?: number;
  /** Time between two signs of life; after three unanswered ones the connection counts as lost. By default as above. */
  readonly keepaliveMs?: number;
  readonly signal?: AbortSignal;
}

/** How and whether a connection ended. */
export interface Ending {
  /** The error for commands and channels that come after the end; undefined while the connection is up. */
  error(): VnmError | undefined;
  /** As `SshSession.onClose`. */
  onEnd(listener: (error?: VnmError) => void): void;
  /** From now on the end is not a loss. */
  expect(): void;
}
