import type { Route } from '../../model/route.ts';
import type { BatchResult, Feature, Inventory, Params, Results } from '../../vsys/messages.ts';
import type { Operation } from '../../vsys/operations.ts';

export type ArmedAction = Params<'arm'>['actions'][number];

/** Lines, each with its line feed, for a tool in waiting. */
export interface Prepared {
  readonly tool: 'ip' | 'tc';
  readonly lines: readonly string[];
}

/** What must stay as it is, since lines were made for it. */
export interface Pinned {
  readonly nexthops: ReadonlySet<number>;
  /** Interfaces whose gates these are. */
  readonly gates: ReadonlySet<string>;
}

/** `dryRun`: nothing is changed. `repair`: what exists with other parameters is replaced. */
export type ApplyOptions = Partial<Pick<Params<'apply'>, 'dryRun' | 'repair'>>;

/** What carries a slice's virtual routers and tunnels on this node. Everything it is asked has passed the policy. */
export interface DataPlane {
  /**
   * All operations in order, or none: on a failure what was done is undone. Throws VnmError; `conflict` for what would change
   * what is pinned (not in a dry run, which only looks).
   */
  apply(operations: readonly Operation[], pinned: () => Pinned, options?: ApplyOptions): Promise<BatchResult>;
  inventory(): Promise<Inventory>;
  /** The main table of a router namespace, or the slice's own table. VnmError `not-found`. */
  routes(namespace?: string): Promise<Route[]>;
  /** Largest IP packet to each address, in order. VnmError `failed` where there is no way. */
  pathMtu(remotes: readonly string[]): Promise<number[]>;
  /** Makes another member of each group active. VnmError `not-found`, `conflict` before anything is changed. */
  redirect(groups: Params<'redirect'>['groups']): Promise<Results['redirect']>;
  /**
   * Hands to `take` what each action will take, to be done later; no `apply` changes anything before `take` has resolved. `batches`
   * counts those that have changed something: only they give an interface's name to another. Throws VnmError as `redirect`,
   * `not-found` where there is no gate.
   */
  prepare(
    actions: readonly ArmedAction[],
    take: (prepared: Prepared[], batches: number) => Promise<void>,
  ): Promise<void>;
  features(): Promise<Feature[]>;
  /** Ends what it keeps running, after the batch that is under way; what is installed stays. */
  close(): Promise<void>;
}
