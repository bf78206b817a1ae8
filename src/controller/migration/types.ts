import type { NodeName, RouterName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import { routerNames } from '../../model/router.ts';
import type { NamedPlacement, Placement, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { Granularity, ScheduleName } from '../../planning/schedule/types.ts';
import type { InstanceRecord } from '../../store/instances.ts';
import type { FlowRecord, HostPair, Outcome, RedirectionRecord } from '../../store/migrations.ts';
import type { Context } from '../base/context.ts';
import type { MethodName, PhaseName } from '../base/phase.ts';
import type { Layout } from '../batches/batches.ts';
import type { Agents } from '../nodes/agents.ts';
import type { MigrationOptions } from './options.ts';
import type { Phases } from './phases.ts';

/** `remote`: the controller issues each redirection at its instant; `gateway`: it is armed at the gateway beforehand. */
export type ControlMode = MigrationOptions['control'];

export interface MigrateOptions extends MoveOptions {
  /** Name of the placement to move to. */
  readonly to: string;
}

/** Wherever the migration goes. */
export interface MoveOptions extends MigrationOptions {
  /** For experiments: each gateway's instant in ms after T, instead of the schedule's own. */
  readonly offsetsMs?: ReadonlyMap<string, number>;
  /** The usual one without it. */
  readonly method?: MethodName;
}

export interface MigrateResult {
  /** In the journal; null where nothing was begun. */
  readonly id: number | null;
  readonly slice: string;
  readonly vn: string;
  /** Names of the placements; null: the placement has none. */
  readonly from: string | null;
  readonly to: string | null;
  /** As it was redirected: `remote` also where traffic could not wait for the gateways to be armed. */
  readonly control: ControlMode;
  readonly schedule: ScheduleName;
  readonly granularity: Granularity;
  readonly urpf: UrpfMode;
  /** `unchanged`: there was nothing to do, and nothing was done. */
  readonly outcome: Outcome | 'unchanged';
  readonly durationMs: number;
  readonly phases: { name: string; ms: number }[];
  readonly moves: Move[];
  /** Routers that were not cloned but made from the record, since the node they moved from was unreachable. */
  readonly fromRecord: readonly string[];
  readonly redirections: RedirectionRecord[];
  readonly flows: FlowRecord[];
  /** Why it did not complete. */
  readonly error?: string;
  /** Pairs of end hosts that were not seen to reach each other when it ended; absent when there are none. */
  readonly unproven?: readonly HostPair[];
  /** Whether it was stopped by a signal. */
  readonly interrupted: boolean;
  /** Edge nodes that could not be reached when it ended: what their gateways do is not known, and both instances stay up. */
  readonly away: string[];
}

/** A router with its old and new node. */
export interface Move {
  readonly router: RouterName;
  readonly from: NodeName;
  readonly to: NodeName;
}

/** An instance with its record in the database. */
export interface Recorded {
  readonly record: InstanceRecord;
  readonly instance: Instance;
}

/** A migration under way, or a trial of one: what stays the same in all of its steps. */
export interface Run extends Layout {
  readonly context: Context;
  readonly agents: Agents;
  readonly old: Recorded;
  readonly to: NamedPlacement;
  /** Whether the schedule holds traffic at gates. */
  readonly gated: boolean;
  readonly phases: Phases;
  /** In the journal; none for a trial. */
  readonly id?: number;
}

/** Whether gateways hold traffic meanwhile. */
export function isGated({ schedule }: Pick<MigrateOptions, 'schedule'>): boolean {
  return schedule === 'hold' || schedule === 'drain';
}

export function movesOf(vn: VirtualNetwork, from: Placement, to: Placement): Move[] {
  return routerNames(vn).map((router) => ({ router, from: from.get(router)!, to: to.get(router)! }));
}

/** Which routers were made from the record, and why, in words. */
export function describeRecorded(routers: readonly RouterName[], from: Placement): string {
  const nodes = [...new Set(routers.map((router) => from.get(router)!))];
  const which = routers.length === 1 ? 'router' : 'routers';
  return `node '${nodes.join("', '")}' was unreachable: the routes of ${which} ${routers.join(', ')} were taken from the record`;
}

/** Begins a step of the way there; an interrupted migration stops here. The way back is not interrupted. */
export function advance({ context, phases }: Run, name: PhaseName): void {
  context.signal?.throwIfAborted();
  phases.begin(name);
}
