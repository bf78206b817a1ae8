/**
 * Repair in place: looks for what on the nodes is not as the database says, and repairs it by `reconcile`. It looks at once when
 * something is suspect, when an agent was restarted or a node is back, and every minute.
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
  /** From one look to the next when there is no reason for one. */
  readonly auditMs: number;
  /** From one look to the next at least, whatever happens. */
  readonly pauseMs: number;
  /** Most repairs of a slice in an hour; repair does not help against a fault that returns as often. */
  readonly perHour: number;
}

export const defaultRepair: RepairOptions = { auditMs: 60_000, pauseMs: 500, perHour: 20 };

export const repairOutcomes = ['repaired', 'failed', 'limited', 'off'] as const;
export type RepairOutcome = (typeof repairOutcomes)[number];

export interface RepairParts {
  readonly context: Context;
  /** Unix ms. */
  readonly now: () => number;
  /** Writes an event down, later where the database is busy. */
  readonly tell: (slice: string, kind: string, message: string, detail: unknown) => void;
  readonly onOutcome: (slice: string, outcome: RepairOutcome) => void;
  readonly onError: (slice: string, error: unknown) => void;
  readonly signal: AbortSignal;
}

export interface Repairer {
  /** Looks soon. One message names all reasons that come meanwhile. */
  look(slice: string, reason: string): void;
  /** Waits for what is under way. `signal` must be aborted before. */
  ended(): Promise<void>;
}

const hourMs = 3_600_000;
const auditReason = 'looked at as every minute';
/** After a look that failed. */
const retryMs = 10_000;
/** While a slice cannot be looked at, so many reasons to do so are kept. */
const maxReasons = 20;
/** An event's message names so many differences; its detail has all. */
const maxTold = 5;

export function createRepairer(parts: RepairParts, options: RepairOptions): Repairer {
  const { context, signal } = parts;
  const reasons = new Map<string, Set<string>>();
  /** What was reported and not repaired, so that it is reported once. */
  const told = new Map<string, string>();
  const auditedMs = new Map<string, number>();
  /** Until when, by `performance.now()`, a slice is left alone. */
  const pausedMs = new Map<string, number>();
  const running = run();

  async function run(): Promise<void> {
    while (!signal.aborted) {
      for (const slice of dueSlices()) await lookAt(slice);
      await sleep(options.pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function dueSlices(): string[] {
    const nowMs = parts.now();
    const installed = new Set(attempt(() => context.store.instances.list().map(({ slice }) => slice)) ?? []);
    for (const slice of installed) {
      const last = auditedMs.get(slice);
      if (last === undefined) auditedMs.set(slice, nowMs);
      // A clock that was set back would keep it waiting.
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

  /** One look, and what follows from it. Whoever works on the slice is not disturbed: it is looked at when they have ended. */
  async function lookAt(name: string): Promise<void> {
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
      if (broken.length === 0) told.delete(name);
      else await repair(slice, broken, causeOf(why));
    } catch (error) {
      pausedMs.set(name, performance.now() + retryMs);
      if (!signal.aborted) parts.onError(name, error);
    }
  }

  /** What a `plan` that was killed has left, or the slice would be busy for good. */
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
    const what = tell(broken);
    if (!slice.repair) return once(slice.name, 'off', `not repaired, since repair is off: ${what} (${cause})`, broken);
    const recent = events.count(slice.name, ['repaired', 'repair-failed'], parts.now() - hourMs);
    if (recent >= options.perHour) {
      const words = `not repaired, since ${recent} repairs in an hour are enough: ${what} (${cause})`;
      return once(slice.name, 'limited', words, broken);
    }
    try {
      const { repaired, failed } = await reconcile({ ...context, wait: false }, slice, { dryRun: false });
      if (failed.length > 0) {
        const words = failed.map(({ node, message }) => `node '${node}': ${message}`).join('; ');
        throw new VnmError('failed', words);
      }
      told.delete(slice.name);
      // It was right again before anybody came.
      if (repaired.length === 0) return;
      parts.tell(slice.name, 'repaired', `${tell(repaired)} (${cause})`, { cause, repaired });
      parts.onOutcome(slice.name, 'repaired');
    } catch (error) {
      // Somebody was quicker, and works on the slice now: it is looked at again.
      if (error instanceof VnmError && error.code === 'conflict') return addReason(slice.name, cause);
      signal.throwIfAborted();
      parts.tell(slice.name, 'repair-failed', `${what} (${cause}): ${messageOf(error)}`, { cause, broken });
      parts.onOutcome(slice.name, 'failed');
    }
  }

  function once(slice: string, outcome: 'off' | 'limited', words: string, broken: readonly NodeDifference[]): void {
    const key = JSON.stringify([outcome, broken]);
    if (told.get(slice) === key) return;
    told.set(slice, key);
    parts.tell(slice, `repair-${outcome}`, words, { broken });
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
    look: addReason,
    ended: () => running,
  };
}

function causeOf(reasons: readonly string[]): string {
  const special = reasons.filter((reason) => reason !== auditReason);
  return (special.length > 0 ? special : reasons).join('; ');
}

function tell(differences: readonly NodeDifference[]): string {
  const words = differences.slice(0, maxTold).map(describe);
  const more = differences.length - words.length;
  return [...words, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function describe(difference: NodeDifference): string {
  const { node, wanted, found } = difference;
  return `${objectOf(difference)} on ${node} was ${found ?? 'gone'}${wanted === null ? ', and is left over' : `, not ${wanted}`}`;
}
