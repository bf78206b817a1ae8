import type { Route } from '../../model/route.ts';
import type { Feature, Inventory, Params, Results } from '../../vsys/messages.ts';
import type { Operation, OperationResult } from '../../vsys/operations.ts';

/** What carries a slice's virtual routers and tunnels on this node. Everything it is asked has passed the policy. */
export interface DataPlane {
  /** All operations in order, or none: on a failure what was done is undone. Throws VnmError. */
  apply(operations: readonly Operation[]): Promise<OperationResult[]>;
  inventory(): Promise<Inventory>;
  /** The main table of a router namespace, or the slice's own table. VnmError `not-found`. */
  routes(namespace?: string): Promise<Route[]>;
  /** Largest IP packet to each address, in order. VnmError `failed` where there is no way. */
  pathMtu(remotes: readonly string[]): Promise<number[]>;
  /** Makes another member of each group active. VnmError `not-found`, `conflict` before anything is changed. */
  redirect(groups: Params<'redirect'>['groups']): Promise<Results['redirect']>;
  features(): Promise<Feature[]>;
  /** Ends what it keeps running; what is installed stays. */
  close(): void;
}
