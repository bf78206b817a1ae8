import { writeIfPossible } from '../base/best-effort.ts';
import type { Context } from '../base/context.ts';
import { type MethodName, methodOf, type PhaseName, phasesDone, stageOf } from '../base/phase.ts';
import { endsOf } from '../base/unfinished.ts';

/** Records, reports and times the phases of a migration. */
export interface Phases {
  /**
   * Ends the present phase and begins another. Throws VnmError `failed` if it begins a stage that cannot be recorded.
   */
  begin(name: PhaseName | TrialPhase): void;
  end(): void;
  list(): { name: string; ms: number }[];
}

/** The phase of a trial (plan.ts), which is not in the journal. */
type TrialPhase = 'remove the trial instance';

/** `first`: the phase before the migration could be recorded. Without `migration` nothing is recorded. */
export function startPhases(context: Context, migration?: number, first?: { name: string; ms: number }): Phases {
  const done = first === undefined ? [] : [first];
  let current: { name: string; startedAt: number } | undefined;
  const end = () => {
    if (current !== undefined) done.push({ name: current.name, ms: performance.now() - current.startedAt });
    current = undefined;
  };
  return {
    begin: (name) => {
      end();
      current = { name, startedAt: performance.now() };
      if (migration !== undefined) recordPhase(context, migration, name);
      const done = migration === undefined ? undefined : phasesDone(methodIn(context, migration), name);
      context.report({ kind: 'phase', text: name, ...(done === undefined ? {} : { done }) });
    },
    end,
    list: () => done,
  };
}

function methodIn({ store }: Context, id: number): MethodName {
  return methodOf(store.migrations.find(id)!);
}

function recordPhase(context: Context, id: number, name: PhaseName | TrialPhase): void {
  const { migrations } = context.store;
  const write = () => migrations.phase(id, name, Date.now());
  const migration = migrations.find(id)!;
  if (stageOf(migration) === stageOf({ ...migration, state: name })) writeIfPossible(context, write);
  else write();
  writeIfPossible(context, () => recordPhaseEvent(context, id, name));
}

/** Adds an event for those who follow the events; see `recordStart`. */
function recordPhaseEvent({ store }: Context, id: number, phase: string): void {
  const migration = store.migrations.find(id)!;
  const { slice, vn } = migration;
  const { from, to } = endsOf(migration);
  store.events.add(slice, 'migration-phase', `VN '${vn}' from placement ${from} to ${to}: ${phase}`, {
    migration: id,
    vn,
    phase,
  });
}

/** Adds the first event of a migration; the last one is `migration-` and its outcome. */
export function recordStart({ store }: Context, id: number): void {
  const migration = store.migrations.find(id)!;
  const { slice, vn, from, to } = migration;
  const ends = endsOf(migration);
  const detail = { migration: id, vn, from, to };
  store.events.add(slice, 'migration-started', `VN '${vn}' from placement ${ends.from} to ${ends.to}`, detail);
}
