import { usualOptions } from '../../src/controller/migration/options.ts';
import type { FlowRecord, MigrationStart, RedirectionRecord } from '../../src/store/migrations.ts';

/** A migration of the VN `three` of the slice `three`, as the store gets it at its start. */
export function migrationStart(change: Partial<MigrationStart> = {}): MigrationStart {
  return {
    slice: 'three',
    vn: 'three',
    from: 'initial',
    to: 'final',
    control: 'gateway',
    schedule: 'optimal',
    urpf: 'feasible',
    options: JSON.stringify({ to: 'final', ...usualOptions }),
    urpfBefore: 'strict',
    oldInstance: 7,
    ...change,
  };
}

/** A redirection that was planned for `plannedAt`, began `lagMs` later and took `executionMs`. */
export function redirection(
  gateway: string,
  plannedAt: number,
  lagMs: number,
  executionMs: number,
  clockBoundMs = 0.2,
): RedirectionRecord {
  const startedAt = plannedAt + lagMs;
  return { gateway, plannedAt, startedAt, finishedAt: startedAt + executionMs, lagMs, executionMs, clockBoundMs };
}

export function flow(from: string, to: string, sent: number, lost: number): FlowRecord {
  return {
    from,
    to,
    sent,
    lost,
    received: sent - lost,
    receiverDropped: 0,
    reordered: 0,
    duplicated: 0,
    maxGapMs: 1.5,
    minLatencyMs: 3,
    maxLatencyMs: null,
    predictedLost: lost,
    predictedAddedDelayMs: null,
  };
}
