/** Types that the files of an SSH session share. */
import type { Duplex, Readable } from 'node:stream';
import type { VnmError } from '../model/errors.ts';
import type { SshWay } from '../model/ssh-way.ts';

/** What the slice file says about a node; the user's SSH configuration may say the rest. */
export interface SshTarget {
  /** Name of the substrate node. */
  readonly node: string;
  /** A name, an address, or an alias in the user's SSH configuration. */
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  /** A private key file, `~/` is the home. Without it the ssh agent and the configured or usual keys are tried. */
  readonly keyPath?: string;
  /** A known_hosts file to consult before the user's; accepted keys are added to it. */
  readonly knownHostsPath?: string;
  /** Seconds, the unit of all limits: see model/patience.ts. */
  readonly patience?: number;
  readonly ssh?: SshWay;
}

/** A target after the user's SSH configuration was asked. */
export interface ReachedTarget extends SshTarget {
  readonly port: number;
  readonly user: string;
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

/** A server on the way to a node, for messages. */
export interface Place {
  /** Name of the substrate node. */
  readonly node: string;
  readonly host: string;
  readonly port: number;
  /** Absent for the node itself; otherwise what to call the server instead. */
  readonly what?: string;
}

/** An SSH server, and all that a login there needs. */
export interface SshServer extends Place {
  /** What the program `ssh` calls it: the host as the user wrote it. */
  readonly name: string;
  /** As in `SshWay`. */
  readonly config?: string;
  readonly user: string;
  readonly keys: KeyChoice;
  readonly knownHosts: KnownHostsChoice;
  /** Restricts the addresses of the host to one version of IP. */
  readonly family?: 4 | 6;
  /** A command of the user whose input and output are the connection. */
  readonly proxyCommand?: string;
  readonly patience?: number;
  /** Why the user's SSH configuration was not asked, if that may matter. */
  readonly unread?: string;
}

/** Which keys to try. */
export interface KeyChoice {
  /** Private key files; of a key that an ssh agent has, the public one is enough. Absent: the usual ones. */
  readonly files?: readonly string[];
  /** Whether the slice file names the key: then an ssh agent is asked only if the file cannot be used without it. */
  readonly isGiven?: boolean;
  /** Whether an ssh agent may only use keys that `files` name. */
  readonly onlyFiles?: boolean;
  /** The socket of the ssh agent; null: none. Absent: SSH_AUTH_SOCK. */
  readonly agent?: string | null;
  /** Certificates that only the program `ssh` can use. */
  readonly certificates?: readonly string[];
}

/** Where host keys are looked up. */
export interface KnownHostsChoice {
  /** In this order. */
  readonly files: readonly string[];
  /** The file that new keys are added to. */
  readonly addTo: string;
  /** The name in the files, if it is not the host's. */
  readonly alias?: string;
}

/** The way to a node. */
export interface SshRoute {
  readonly transport: 'ssh2' | 'openssh';
  /** The servers to pass, from the first to the last. */
  readonly jumps: readonly SshServer[];
  readonly end: SshServer;
}

/** A command's streams. Emits `close` with the exit code, or null and a signal, or neither where nothing is known. */
export interface SshChannel extends Duplex {
  readonly stderr: Readable;
  close(): void;
}

/** A connection to a node, however it is made. */
export interface NodeConnection {
  readonly ending: Ending;
  /** Runs a command in the login's shell. Throws `SessionRefused`, and as `SshSession.exec`. */
  run(command: string): Promise<SshChannel>;
  /** As `SshSession.openSocket`. */
  openSocket(path: string): Promise<SshChannel | undefined>;
  close(): void;
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
