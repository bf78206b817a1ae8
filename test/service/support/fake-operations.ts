import type { MigrateResult } from '../../../src/controller/migrate.ts';
import type { Operations } from '../../../src/service/http/operations.ts';
import { flow, redirection } from '../../support/migrations.ts';

/** A call of an operation: its name, the slice, then the VN and the options, if it has them. */
type Call = readonly [operation: string, slice: string, ...rest: unknown[]];

export interface FakeOperations extends Operations {
  readonly calls: Call[];
}

export function migrated(change: Partial<MigrateResult> = {}): MigrateResult {
  return {
    id: 1,
    slice: 'three',
    vn: 'three',
    from: 'initial',
    to: 'final',
    control: 'gateway',
    schedule: 'optimal',
    granularity: 'gateway',
    urpf: 'feasible',
    method: 'instance',
    outcome: 'completed',
    durationMs: 1234.5,
    phases: [{ name: 'add nodes', ms: 12 }],
    moves: [{ router: 'a', from: 'n1', to: 'n4' }],
    redirections: [redirection('g1', 1000, 0.1, 0.2)],
    flows: [flow('e1', 'e2', 100, 0)],
    interrupted: false,
    unreachable: [],
    fromRecord: [],
    ...change,
  };
}

/** Returns operations that touch no node. `change` replaces some of them. */
export function fakeOperations(change: Partial<Operations> = {}): FakeOperations {
  const calls: Call[] = [];
  const compared = { unreachable: [{ node: 'n1', message: 'no answer' }], failed: [] };
  const difference = { kind: 'route', name: '10.65.0.0/31', wanted: 'blackhole', found: null } as const;
  const operations: Operations = {
    live: async (slice) => ({
      slice: slice.name,
      equal: false,
      differences: [{ node: 'n2', ...difference, additional: false }],
      ...compared,
      notCompared: [],
      migrating: [],
    }),
    verify: async (slice, vn) => ({
      slice: slice.name,
      vn: vn.name,
      ok: true,
      pairs: [{ from: 'e1', to: 'e2', reachable: true, sent: 3, received: 3 }],
    }),
    measure: async (slice, vn) => {
      const reportedMs = { min: Number.NaN, median: Number.NaN };
      const nothing = {
        minMs: Number.NaN,
        medianMs: Number.NaN,
        jitterMs: Number.NaN,
        spreadMs: Number.NaN,
        isSteady: true,
        reportedMs,
      };
      const path = { from: 'g1', to: 'g2', ...nothing, probes: 50, lost: 50, clockBoundMs: 0.2, basis: 'one-way' };
      const clock = { node: 'g1', offsetMs: 1, boundMs: 0.1, boundNowMs: 0.1, source: 'exchange', errors: [] };
      return {
        slice: slice.name,
        vn: vn.name,
        clocks: [clock],
        instances: [{ placement: 'initial', state: 'active', paths: [path] }],
      } as Awaited<ReturnType<Operations['measure']>>;
    },
    plan: async (slice, vn, { to }) => ({
      slice: slice.name,
      vn: vn.name,
      method: 'instance',
      from: 'initial',
      to,
      urpf: 'feasible',
      granularity: 'gateway',
      latency: 'declared',
      moves: [],
      schedules: [],
    }),
    reconcile: async (slice, { dryRun }) => ({
      slice: slice.name,
      vns: [],
      dryRun,
      repaired: [],
      additional: [],
      ...compared,
    }),
    migrate: async (slice, vn, { to }) => migrated({ slice: slice.name, vn: vn.name, to }),
    resume: async () => migrated(),
    rollback: async () => migrated({ outcome: 'rolled-back', error: 'it was interrupted (drain)' }),
    ...change,
  };
  const recorded = Object.fromEntries(
    Object.entries(operations).map(([name, operation]) => [
      name,
      (slice: { name: string }, ...rest: unknown[]) => {
        calls.push([name, slice.name, ...rest.map((value) => (isVn(value) ? value.name : value))]);
        return (operation as (...all: unknown[]) => unknown)(slice, ...rest);
      },
    ]),
  ) as unknown as Operations;
  return { ...recorded, calls };
}

function isVn(value: unknown): value is { name: string } {
  return typeof value === 'object' && value !== null && 'routers' in value;
}
