import type { PackedRoutes } from '../../model/packed-routes.ts';
import type { Armable } from '../../vsys/armable.ts';
import type { DaemonState } from '../../vsys/daemon.ts';
import type { BatchResult, Collision, Feature, Inventory, NodeCounters, Params, Results } from '../../vsys/messages.ts';
import type { Operation } from '../../vsys/operations.ts';
import type { DaemonMoving } from '../daemons/supervisor.ts';
import type { Images } from '../guests/images.ts';
import type { GuestMoving } from '../guests/moving.ts';
import type { Pinned } from './armable.ts';
import type { Endpoints } from './endpoints.ts';

/** `dryRun`: changes nothing. `repair`: replaces what exists with other parameters. */
type ApplyOptions = Partial<Pick<Params<'apply'>, 'dryRun' | 'repair' | 'confirmWithinMs'>>;

/** The forwarding entries of a router. `digest`: a SHA-256 in hex, the same as long as they are. */
export interface Table {
  readonly digest: string;
  readonly packed?: PackedRoutes[];
}

/**
 * What carries a slice's virtual routers and tunnels on this node. The policy has allowed every request before it gets
 * here.
 */
export interface DataPlane {
  /** The name in the protocol. */
  readonly kind: string;
  readonly endpoints: Endpoints;
  /**
   * Applies all operations in order, or none: on a failure it undoes what was done. Throws VnmError; `conflict` for a
   * change of what is pinned (not in a dry run, which changes nothing), and if the slice's first things here would
   * collide with what the node uses. Changes that may cut the node's connection to the controller are undone unless it
   * confirms them.
   */
  apply(operations: readonly Operation[], pinned: () => Pinned, options?: ApplyOptions): Promise<BatchResult>;
  /** Throws VnmError `failed` if the changes that the token stands for were undone, `not-found`. */
  confirm(token: string): void;
  collisions(): Promise<{ collisions: Collision[]; installed: boolean }>;
  inventory(): Promise<Inventory>;
  counters(): Promise<NodeCounters>;
  /**
   * Returns the main table of a router namespace, or the slice's own table, without `packed` if its digest is still the
   * one that is `known`. Throws VnmError `not-found`.
   */
  routes(namespace?: string, known?: string): Promise<Table>;
  /** Throws VnmError `not-found` if the namespace has no routing daemon, `failed` if it does not answer. */
  daemonState(namespace: string): Promise<DaemonState>;
  /** Absent where routers have no routing daemons. */
  readonly moving?: DaemonMoving;
  /** Absent where routers are no virtual machines. */
  readonly images?: Images;
  readonly machines?: GuestMoving;
  /**
   * Returns how often the daemon's adjacencies changed since it logs that, by router id. Throws VnmError `not-found`,
   * `failed`.
   */
  neighbourEvents(namespace: string): Promise<Readonly<Record<string, number>>>;
  /** Returns the largest IP packet to each address, in order. Throws VnmError `failed` if there is no route. */
  pathMtu(remotes: readonly string[]): Promise<number[]>;
  /** Makes another member of each group active. Throws VnmError `not-found`, `conflict` before anything is changed. */
  redirect(groups: Params<'redirect'>['groups']): Promise<Results['redirect']>;
  /**
   * Passes to `take` a step of the plane's actuator for each armable, to be done later; no `apply` changes anything
   * before `take` has resolved. `batches` counts the batches that changed something: only they give an interface's name
   * to another interface. Throws VnmError as `redirect`, and `not-found` if there is no gate.
   */
  prepare(armables: readonly Armable[], take: (steps: unknown[], batches: number) => Promise<void>): Promise<void>;
  features(): Promise<Feature[]>;
  /** Ends its processes after the batch in progress; what is installed stays. */
  close(): Promise<void>;
}
