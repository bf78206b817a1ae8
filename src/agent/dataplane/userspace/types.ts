/** What the forwarding looks up: interfaces, stacks, and where their prefixes lead. */
import type { Prefix } from '../../../model/address.ts';
import type { KernelRoute, Link, Place } from '../planner/state.ts';
import type { Traffic } from './counters.ts';
import type { PrefixTable } from './prefix-table.ts';

/** An interface. */
export interface Port {
  readonly stack: StackTables;
  readonly place: Place;
  readonly link: Link;
  readonly traffic: Traffic;
  /** Its first address, the source of ICMP errors; 0 without one. */
  readonly address: number;
  readonly check: ReversePathCheck;
  /** The other end of a pair on this node. */
  peer?: Port;
  readonly tunnel?: Tunnel;
  readonly gate?: Gate;
}

export type ReversePathCheck = 'strict' | 'loose' | 'none';

export interface Tunnel {
  readonly header: Buffer;
  readonly remote: string;
  readonly port: number;
  /** Another sender whose packets are accepted. */
  readonly alsoFrom: { readonly address: string; readonly port: number } | undefined;
}

/** Of an interface whose packets wait while the slot's value is 1. */
interface Gate {
  readonly slot: number;
  readonly limitBytes: number;
}

export interface StackTables {
  readonly namespace: string;
  readonly addresses: ReadonlySet<number>;
  /** Positions are those of `targets`. */
  readonly prefixes: PrefixTable;
  readonly targets: readonly Target[];
  /** Which the prefixes are of. */
  readonly routes: readonly KernelRoute[];
  /** Their prefixes. */
  readonly parsed: readonly Prefix[];
}

/** Where a prefix leads. */
export type Target =
  | { readonly type: 'rejected'; readonly as: Exclude<KernelRoute['type'], 'unicast'> }
  | { readonly type: 'ways'; readonly ways: readonly Way[]; readonly totalWeight: number }
  | { readonly type: 'group'; readonly group: Group };

/** `port`: undefined where the neighbour cannot be reached over the interface. */
export interface Way {
  readonly interface: Place;
  readonly port: Port | undefined;
  readonly weight: number;
}

/** `members` are accepted by the reverse-path check next to the active one, if that is among them. */
export interface Group {
  readonly slot: number;
  readonly members: readonly number[];
  readonly resilient: boolean;
  /** All nexthops that are no groups: any can become active. */
  readonly nexthops: ReadonlyMap<number, Way>;
}
