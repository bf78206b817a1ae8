/** What the supervisor needs to know of a kind of routing daemon. */
import type { RouterProgram } from '../../model/daemon.ts';
import type { DaemonState } from '../../vsys/daemon.ts';
import type { Daemon } from '../../vsys/operations.ts';
import type { Owner, Place } from './place.ts';
import type { Running } from './processes.ts';

export interface DaemonDriver {
  readonly kind: RouterProgram;
  /** The user as which its processes run. */
  readonly user: string;
  /** The kernel's numbers for the origin of the routes that it adds. */
  readonly routeProtocols: readonly number[];
  /** Returns the version, or what is missing on this node. */
  find(): Promise<{ readonly version: string } | { readonly lacks: string }>;
  /** The names of the processes that must run. */
  processesOf(daemon: Daemon): readonly string[];
  /** Lets the program read a configuration in a place where it does not run. Throws VnmError `invalid-input`. */
  check(trial: Place, owner: Owner, config: string): Promise<void>;
  /**
   * Writes the configuration and starts the processes. Resolves when the daemon answers. Throws VnmError `failed`.
   */
  start(place: Place, owner: Owner, daemon: Daemon, how?: StartOptions): Promise<void>;
  /**
   * Tells the neighbours that the daemon restarts (RFC 3623), so that they keep its routes, and ends its processes
   * without a change of the forwarding entries. What is left then is killed. Throws VnmError `failed`.
   */
  leave(place: Place, running: readonly Running[]): Promise<void>;
  /**
   * Gives the running daemon another configuration, which was checked. Throws VnmError `failed`; then the former one is
   * in use. Absent where the daemon has to be started again for that.
   */
  reconfigure?(place: Place, owner: Owner, before: Daemon, after: Daemon): Promise<void>;
  /** Ends what an agent that has ended left half done around a daemon that runs. */
  resume?(place: Place): Promise<void>;
  /** Removes what its processes left elsewhere, after they have ended. */
  cleanUp?(place: Place): Promise<void>;
  /** Absent where a checkpoint cannot take the daemon. */
  readonly checkpoint?: CheckpointDriver;
  /** Throws VnmError `failed` if the daemon does not answer. */
  state(place: Place): Promise<DaemonState>;
  /**
   * Counts the changes of adjacencies that the daemon has logged, by neighbour (router id). The first call has it log
   * them.
   */
  neighbourEvents(place: Place): Promise<Readonly<Record<string, number>>>;
}

export interface StartOptions {
  /** Some processes, where the others run. */
  readonly only?: readonly string[] | undefined;
  /** Whether the forwarding entries that are there are the daemon's own, and its neighbours wait for it. */
  readonly graceful?: boolean;
}

/** For a daemon of one process, which moves with its memory and its sockets. */
export interface CheckpointDriver {
  /** The name of the file that has the configuration. */
  readonly configName: string;
  /** Throws VnmError `failed` if the daemon does not answer. */
  answers(place: Place): Promise<void>;
  /**
   * Runs the words that restore the daemon, and stay while it runs. `known`: the path of its folder where it was
   * started. `output`: the file for what they print. Resolves when the daemon answers. Throws VnmError `failed`;
   * `words` says why.
   */
  restore(
    place: Place,
    known: string,
    restorer: readonly string[],
    report: { readonly output: string; readonly words: () => string },
  ): Promise<void>;
}
