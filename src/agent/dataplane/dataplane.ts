import type { Route } from '../../model/route.ts';
import type { Armable } from '../../vsys/armable.ts';
import type { BatchResult, Collision, Feature, Inventory, Params, Results } from '../../vsys/messages.ts';
import type { Operation } from '../../vsys/operations.ts';
import type { Pinned } from './armable.ts';
import type { Endpoints } from './endpoints.ts';

/** `dryRun`: nothing is changed. `repair`: what exists with other parameters is replaced. */
type ApplyOptions = Partial<Pick<Params<'apply'>, 'dryRun' | 'repair' | 'confirmWithinMs'>>;

/** What carries a slice's virtual routers and tunnels on this node. Everything it is asked has passed the policy. */
export interface DataPlane {
  /** As the protocol names it. */
  readonly kind: string;
  readonly endpoints: Endpoints;
  /**
   * All operations in order, or none: on a failure what was done is undone. Throws VnmError; `conflict` for what would change
   * what is pinned (not in a dry run, which only looks), and where the slice's first things here would collide with what the node
   * uses. What may cut the way to this node is taken back unless it is confirmed.
   */
  apply(operations: readonly Operation[], pinned: () => Pinned, options?: ApplyOptions): Promise<BatchResult>;
  /** Throws VnmError `failed` when what the token stands for was taken back, `not-found`. */
  confirm(token: string): void;
  collisions(): Promise<{ collisions: Collision[]; installed: boolean }>;
  inventory(): Promise<Inventory>;
  /** The main table of a router namespace, or the slice's own table. VnmError `not-found`. */
  routes(namespace?: string): Promise<Route[]>;
  /** Largest IP packet to each address, in order. VnmError `failed` where there is no way. */
  pathMtu(remotes: readonly string[]): Promise<number[]>;
  /** Makes another member of each group active. VnmError `not-found`, `conflict` before anything is changed. */
  redirect(groups: Params<'redirect'>['groups']): Promise<Results['redirect']>;
  /**
   * Hands to `take` a step of the plane's actuator for each, to be done later; no `apply` changes anything before `take` has resolved.
   * `batches` counts those that have changed something: only they give an interface's name to another. Throws VnmError as `redirect`,
   * `not-found` where there is no gate.
   */
  prepare(armables: readonly Armable[], take: (steps: unknown[], batches: number) => Promise<void>): Promise<void>;
  features(): Promise<Feature[]>;
  /** Ends what it keeps running, after the batch that is under way; what is installed stays. */
  close(): Promise<void>;
}
