import type { Context } from '../../controller/base/context.ts';
import { type LiveStatus, liveStatus } from '../../controller/live.ts';
import { type MeasureResult, measure } from '../../controller/measure.ts';
import { type MigrateOptions, type MigrateResult, migrate } from '../../controller/migrate.ts';
import { type PlanOptions, type PlanResult, plan } from '../../controller/plan.ts';
import type { MovesPlan } from '../../controller/plan-moves.ts';
import type { VerifyResult } from '../../controller/probe/verify-vn.ts';
import { type ReconcileOptions, type ReconcileResult, reconcile } from '../../controller/reconcile.ts';
import { resume, rollback } from '../../controller/recover.ts';
import { verify } from '../../controller/verify.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';

/** The operations on nodes that the API offers. */
export interface Operations {
  live(slice: Slice): Promise<LiveStatus>;
  verify(slice: Slice, vn: VirtualNetwork): Promise<VerifyResult>;
  measure(slice: Slice, vn: VirtualNetwork): Promise<MeasureResult>;
  plan(slice: Slice, vn: VirtualNetwork, options: PlanOptions): Promise<PlanResult | MovesPlan>;
  reconcile(slice: Slice, options: ReconcileOptions): Promise<ReconcileResult>;
  migrate(slice: Slice, vn: VirtualNetwork, options: MigrateOptions): Promise<MigrateResult>;
  resume(slice: Slice, vn: VirtualNetwork): Promise<MigrateResult>;
  /** Returns undefined if it removed the trial instance that an interrupted `plan` left behind. */
  rollback(slice: Slice, vn: VirtualNetwork): Promise<MigrateResult | undefined>;
}

/** Returns the controller's operations. Each has its own context, which no request can end. */
export function controllerOperations(context: () => Context): Operations {
  return {
    live: (slice) => liveStatus(context(), slice),
    verify: (slice, vn) => verify(context(), slice, vn),
    measure: (slice, vn) => measure(context(), slice, vn),
    plan: (slice, vn, options) => plan(context(), slice, vn, options),
    reconcile: (slice, options) => reconcile(context(), slice, options),
    migrate: (slice, vn, options) => migrate(context(), slice, vn, options),
    resume: (slice, vn) => resume(context(), slice, vn),
    rollback: (slice, vn) => rollback(context(), slice, vn),
  };
}
