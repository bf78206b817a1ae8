/**
 * Repair in place: finds what on the nodes differs from the database, and repairs it with `reconcile`. Checks a slice
 * every minute, and at once when something is suspect, when an agent was restarted and when a node is reachable again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../controller/base/context.ts';
import { isLocked } from '../controller/base/lock.ts';
import { liveStatus } from '../controller/live.ts';
import type { NodeDifference } from '../controller/nodes/compare.ts';
import { reconcile } from '../controller/reconcile.ts';
import { rollback } from '../controller/recover.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { objectOf } from '../vsys/difference.ts';

export interface RepairOptions {
  /** The time between two checks of a slice without a special reason. */
  readonly auditMs: number;
  /** The shortest time between two rounds of checks. */
  readonly pauseMs: number;
  /** The most repairs of a slice per hour: repair does not help against a fault that returns this often. */
  readonly perHour: number;
}

export const defaultRepair: RepairOptions = { auditMs: 60_000, pauseMs: 500, perHour: 20 };

export const repairOutcomes = ['repaired', 'failed', 'limited', 'off'] as const;
export type RepairOutcome = (typeof repairOutcomes)[number];

export interface RepairParts {
  readonly context: Context;
  /** Unix ms. */
  readonly now: () => number;
  /** Records an event; later, if the database is busy. */
  readonly record: (slice: string, kind: string, message: string, detail: unknown) => void;
  readonly onOutcome: (slice: string, outcome: RepairOutcome) => void;
  readonly onError: (slice: string, error: unknown) => void;
  readonly signal: AbortSignal;
}

export interface Repairer {
  /** Requests a check of a slice. The next check covers all reasons given until then. */
  check(slice: string, reason: string): void;
  /** Waits for the check in progress to end. `signal` must have aborted. */
  ended(): Promise<void>;
}

const hourMs = 3_600_000;
const auditReason = 'regular check';
/** The pause after a failed check. */
const retryMs = 10_000;
/** The most reasons kept for a slice that cannot be checked yet. */
const maxReasons = 20;
/** The most differences in an event's message; its detail lists them all. */
const maxListed = 5;

export function createRepairer(parts: RepairParts, options: RepairOptions): Repairer {
  const { context, signal } = parts;
  const reasons = new Map<string, Set<string>>();
  /** The differences that were reported but not repaired, by slice, so that they are reported once. */
  const reported = new Map<string, string>();
  const auditedMs = new Map<string, number>();
  /** Until when, by `performance.now()`, a slice is not checked. */
  const pausedMs = new Map<string, number>();
  const running = run();

  async function run(): Promise<void> {
    while (!signal.aborted) {
      for (const slice of dueSlices()) await checkSlice(slice);
      await sleep(options.pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function dueSlices(): string[] {
    const nowMs = parts.now();
    const installed = new Set(attempt(() => context.store.instances.list().map(({ slice }) => slice)) ?? []);
    for (const slice of installed) {
      const last = auditedMs.get(slice);
      if (last === undefined) auditedMs.set(slice, nowMs);
      // Without the second condition, a clock that was set back would delay the check.
      else if (nowMs - last >= options.auditMs || nowMs < last) addReason(slice, auditReason);
    }
    for (const slice of [...reasons.keys(), ...pausedMs.keys()]) {
      if (installed.has(slice)) continue;
      reasons.delete(slice);
      pausedMs.delete(slice);
    }
    return [...reasons.keys()].filter((slice) => (pausedMs.get(slice) ?? 0) <= performance.now());
  }

  function addReason(slice: string, reason: string): void {
    const known = reasons.get(slice) ?? new Set();
    if (known.size < maxReasons) known.add(reason);
    reasons.set(slice, known);
  }

  /** Checks a slice once, and repairs it. A slice that a command works on is checked when that command has ended. */
  async function checkSlice(name: string): Promise<void> {
    try {
      const slice = context.store.slices.find(name);
      if (slice === undefined) return void reasons.delete(name);
      await removeTrials(slice);
      if (isBusy(slice)) return;
      const why = [...(reasons.get(name) ?? [])];
      const { differences, failed, migrating } = await liveStatus(context, slice);
      if (migrating.length > 0 || isBusy(slice)) return;
      for (const reason of why) reasons.get(name)?.delete(reason);
      if (reasons.get(name)?.size === 0) reasons.delete(name);
      auditedMs.set(name, parts.now());
      for (const { node, message } of failed) parts.onError(name, new VnmError('failed', `node '${node}': ${message}`));
      const broken = differences.filter(({ additional }) => !additional);
      if (broken.length === 0) reported.delete(name);
      else await repair(slice, broken, causeOf(why));
    } catch (error) {
      pausedMs.set(name, performance.now() + retryMs);
      if (!signal.aborted) parts.onError(name, error);
    }
  }

  /** Removes the trial instance that an interrupted `plan` left behind; the slice would stay busy forever. */
  async function removeTrials(slice: Slice): Promise<void> {
    const { store } = context;
    for (const vn of slice.repair ? slice.vns : []) {
      if (isLocked(context, slice.name, vn.name) || store.migrations.unfinished(slice.name, vn.name).length > 0)
        continue;
      const states = store.instances.list({ slice: slice.name, vn: vn.name }).map(({ state }) => state);
      const isTrial = states.includes('active') && states.some((state) => state !== 'active');
      if (isTrial) await rollback({ ...context, wait: false }, slice, vn);
    }
  }

  function isBusy(slice: Slice): boolean {
    const { store } = context;
    return (
      store.migrations.unfinished(slice.name).length > 0 ||
      store.instances.list({ slice: slice.name }).some(({ state }) => state !== 'active') ||
      slice.vns.some(({ name }) => isLocked(context, slice.name, name))
    );
  }

  async function repair(slice: Slice, broken: readonly NodeDifference[], cause: string): Promise<void> {
    const { events } = context.store;
    const what = list(broken);
    if (!slice.repair) return reportOnce(slice.name, 'off', `not repaired, repair is off: ${what} (${cause})`, broken);
    const recent = events.count(slice.name, ['repaired', 'repair-failed'], parts.now() - hourMs);
    if (recent >= options.perHour) {
      const words = `not repaired, limit of ${options.perHour} repairs per hour reached: ${what} (${cause})`;
      return reportOnce(slice.name, 'limited', words, broken);
    }
    try {
      const { repaired, failed } = await reconcile({ ...context, wait: false }, slice, { dryRun: false });
      if (failed.length > 0) {
        const words = failed.map(({ node, message }) => `node '${node}': ${message}`).join('; ');
        throw new VnmError('failed', words);
      }
      reported.delete(slice.name);
      // The differences had gone before the repair began.
      if (repaired.length === 0) return;
      parts.record(slice.name, 'repaired', `${list(repaired)} (${cause})`, { cause, repaired });
      parts.onOutcome(slice.name, 'repaired');
    } catch (error) {
      // Another command has begun to work on the slice: check it again afterwards.
      if (error instanceof VnmError && error.code === 'conflict') return addReason(slice.name, cause);
      signal.throwIfAborted();
      parts.record(slice.name, 'repair-failed', `${what} (${cause}): ${messageOf(error)}`, { cause, broken });
      parts.onOutcome(slice.name, 'failed');
    }
  }

  function reportOnce(
    slice: string,
    outcome: 'off' | 'limited',
    words: string,
    broken: readonly NodeDifference[],
  ): void {
    const key = JSON.stringify([outcome, broken]);
    if (reported.get(slice) === key) return;
    reported.set(slice, key);
    parts.record(slice, `repair-${outcome}`, words, { broken });
    parts.onOutcome(slice, outcome);
  }

  function attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      parts.onError('', error);
      return undefined;
    }
  }

  return {
    check: addReason,
    ended: () => running,
  };
}

function causeOf(reasons: readonly string[]): string {
  const special = reasons.filter((reason) => reason !== auditReason);
  return (special.length > 0 ? special : reasons).join('; ');
}

function list(differences: readonly NodeDifference[]): string {
  const words = differences.slice(0, maxListed).map(describe);
  const more = differences.length - words.length;
  return [...words, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function describe(difference: NodeDifference): string {
  const { node, wanted, found } = difference;
  const object = `${objectOf(difference)} on ${node}`;
  if (wanted === null) return `${object} was left over: ${found}`;
  return found === null ? `${object} was missing, expected ${wanted}` : `${object} was ${found}, expected ${wanted}`;
}
