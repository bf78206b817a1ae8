import type { ClockEstimate } from '../../clock/exchange.ts';
import type { NodeName, RouterName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import { routerNames } from '../../model/router.ts';
import type { NamedPlacement, Placement, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { Granularity, Schedule, ScheduleName } from '../../planning/schedule/types.ts';
import type { InstanceRecord } from '../../store/instances.ts';
import type { FlipRecord, FlowRecord, HostPair, Outcome, RedirectionRecord } from '../../store/migrations.ts';
import type { Context } from '../base/context.ts';
import type { MethodName, PhaseName } from '../base/phase.ts';
import type { Layout } from '../batches/batches.ts';
import type { Agents } from '../nodes/agents.ts';
import type { ControlPlaneName } from './control-planes/names.ts';
import type { Carried } from './control-planes/way.ts';
import type { MigrationOptions } from './options.ts';
import type { Phases } from './phases.ts';
import type { PlannedFlow } from './planned-flow.ts';

/**
 * `remote`: the controller issues each redirection at its instant; `gateway`: it is armed at the gateway beforehand.
 */
export type ControlMode = MigrationOptions['control'];

export interface MigrateOptions extends MoveOptions {
  /** Name of the placement to move to; with `router`, the node. */
  readonly to: string;
  /** The only router to move; not with the method `instance`. */
  readonly router?: RouterName;
}

/** Options that do not depend on the destination. */
export interface MoveOptions extends MigrationOptions {
  /** For experiments: each gateway's instant in ms after T, instead of the schedule's own. */
  readonly offsetsMs?: ReadonlyMap<string, number>;
  /** For experiments: another way to redirect, instead of that of `control`. The journal does not keep it. */
  readonly redirect?: Redirect;
}

/**
 * Step 5 of a migration: sends the traffic of every gateway into the new instance, each at its instant. Throws if not
 * all have done so. `clocks`: by node.
 */
export type Redirect = (
  run: Run,
  fresh: Recorded,
  decision: { readonly schedule: Schedule },
  clocks: ReadonlyMap<string, ClockEstimate>,
) => Promise<RedirectionRecord[]>;

export interface MigrateResult {
  /** Its id in the journal; null if nothing was begun. */
  readonly id: number | null;
  readonly slice: string;
  readonly vn: string;
  /** Names of the placements; null: the placement has none. */
  readonly from: string | null;
  readonly to: string | null;
  /** Who timed the redirections: `remote` also if traffic could not wait for the gateways to be armed. */
  readonly control: ControlMode;
  readonly schedule: ScheduleName;
  readonly granularity: Granularity;
  readonly urpf: UrpfMode;
  readonly method: MethodName;
  /** `unchanged`: there was nothing to do, and nothing was done. */
  readonly outcome: Outcome | 'unchanged';
  readonly durationMs: number;
  readonly phases: { name: string; ms: number }[];
  readonly moves: Move[];
  /** Routers that were made from the record, not cloned, since the node that they moved from was unreachable. */
  readonly fromRecord: readonly string[];
  readonly redirections: RedirectionRecord[];
  /** Methods `vroom` and `flow`: when each link of a moving router was flipped. */
  readonly flips?: readonly FlipRecord[];
  /** Method `flow`: absent if nothing could be timed. */
  readonly flowChanges?: readonly FlowChange[];
  /** Method `vroom`: how the routing daemons of the moving routers moved; absent if none has one. */
  readonly controlPlanes?: readonly ControlPlaneMove[];
  /** Method `vroom`: what the neighbours of moving routers with routing daemons noticed; absent if none has one. */
  readonly neighbourEvents?: readonly NeighbourEvents[];
  /** Methods `clone` and `live`: how the guests moved. */
  readonly guests?: readonly GuestMove[];
  readonly flows: FlowRecord[];
  /** Method `instance`: the measured latencies and the predicted effect on each flow; absent without a schedule. */
  readonly planned?: readonly PlannedFlow[];
  /** Why it did not complete. */
  readonly error?: string;
  /** Pairs of end hosts that were not proven to reach each other when it ended; absent if there are none. */
  readonly unproven?: readonly HostPair[];
  /** Whether a signal stopped it. */
  readonly interrupted: boolean;
  /** Edge nodes that were unreachable when it ended: what their gateways do is unknown, and both instances stay up. */
  readonly unreachable: string[];
}

/** How long the flows through a switch took to change to its new place. */
export interface FlowChange {
  readonly router: RouterName;
  /** From the first new entry at the new place to the barrier after the last one. */
  readonly entriesMs: number;
  /** From the first change at a hop that both paths have to the barrier after the last one; with the clocks' errors. */
  readonly flipMs: number;
  readonly totalMs: number;
}

/** A routing daemon that moved. */
export interface ControlPlaneMove {
  readonly router: RouterName;
  readonly from: NodeName;
  readonly to: NodeName;
  readonly way: ControlPlaneName;
  /** Whether it was the cold restart, the baseline, in which the neighbours give the router up. */
  readonly cold: boolean;
  /**
   * How long there was no control plane: from when the controller asked the old daemon to end, or to stop for a
   * checkpoint, until it heard that the new one had started.
   */
  readonly freezeMs: number;
  /** From when it ran, and its links were flipped, until it had had its neighbours and routes again for a while. */
  readonly convergeMs: number;
  /** What was carried; absent in the other ways. */
  readonly checkpoint?: Carried;
  /** The OSPF packets that followed it; absent where the nodes cannot do that. */
  readonly packets?: ControlPackets;
}

/** A guest that moved with its memory (VN Clone, section III). Times are in ms. */
export interface GuestMove {
  readonly router: RouterName;
  readonly from: NodeName;
  readonly to: NodeName;
  /** `clone`: it ran while it was copied; `suspend`: it stood still; `live`: its hypervisor's own migration. */
  readonly way: 'clone' | 'suspend' | 'live';
  readonly memoryMib: number;
  /** Of the copy, and what of it went over the channels, which may be compressed. */
  readonly bytes: number;
  readonly sentBytes: number;
  /** t_clone: until the copy was complete on the old node; with `live` the copy moves while it is made, so it is 0. */
  readonly cloneMs: number;
  /** t_move: until all of it was on the new node. */
  readonly moveMs: number;
  /** From then until the guest was complete there. */
  readonly restoreMs: number;
  /** From then until it ran there and all links led to it. */
  readonly switchMs: number;
  /** How long it ran nowhere, or no link led to where it ran. */
  readonly freezeMs: number;
  /** What the formulas (1) and (2) of the paper say for this memory. */
  readonly formula: {
    /** By how fast the old node writes; absent with `live`. */
    readonly cloneMs?: number;
    /** By how fast the copy went from node to node, as it was. */
    readonly moveMs: number;
  };
}

/** OSPF packets that arrived at a moving router, from just before its daemon ended or stopped. */
export interface ControlPackets {
  /** Copies that its old place sent to the new one. */
  readonly sentOn: number;
  /** With `--hold-control`: those that waited at the new place until the daemon ran, whichever way they came. */
  readonly held?: number;
  /** Those that found no room there. */
  readonly dropped?: number;
}

/** How often an adjacency with a moving router changed its state at the neighbour. */
export interface NeighbourEvents {
  readonly router: RouterName;
  readonly neighbour: RouterName;
  readonly events: number;
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

/** What stays the same in all steps of a migration, or of a trial of one. */
export interface Run extends Layout {
  readonly context: Context;
  readonly agents: Agents;
  readonly old: Recorded;
  readonly to: NamedPlacement;
  /** Whether the schedule holds traffic at gates. */
  readonly gated: boolean;
  readonly phases: Phases;
  /** Its id in the journal; absent for a trial. */
  readonly id?: number;
}

/** Whether gateways hold traffic during the migration. */
export function isGated({ schedule }: Pick<MigrateOptions, 'schedule'>): boolean {
  return schedule === 'hold' || schedule === 'drain';
}

export function movesOf(vn: VirtualNetwork, from: Placement, to: Placement): Move[] {
  return routerNames(vn).map((router) => ({ router, from: from.get(router)!, to: to.get(router)! }));
}

/** Describes which routers were made from the record, and why. */
export function describeRecorded(routers: readonly RouterName[], from: Placement): string {
  const nodes = [...new Set(routers.map((router) => from.get(router)!))];
  const which = routers.length === 1 ? 'router' : 'routers';
  return `node '${nodes.join("', '")}' was unreachable: the routes of ${which} ${routers.join(', ')} were taken from the record`;
}

/** Begins a phase that a signal may interrupt: throws if it has. The phases of a rollback do not use it. */
export function advance({ context, phases }: Run, name: PhaseName): void {
  context.signal?.throwIfAborted();
  phases.begin(name);
}
