import { writeIfPossible } from '../base/best-effort.ts';
import type { Context } from '../base/context.ts';
import { type PhaseName, stageOf } from '../base/phase.ts';
import { endsOf } from '../base/unfinished.ts';

/** The phases of a migration, recorded and reported as they begin, and timed. */
export interface Phases {
  /** Ends the phase under way and begins another. Throws VnmError `failed` where it begins a stage that cannot be recorded. */
  begin(name: PhaseName | TrialPhase): void;
  end(): void;
  list(): { name: string; ms: number }[];
}

/** Of a trial (plan.ts), which no journal knows. */
type TrialPhase = 'take the trial away';

/** `first`: what was done before the migration could be recorded. Without `migration` nothing is written down. */
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
      context.report({ kind: 'phase', text: name });
    },
    end,
    list: () => done,
  };
}

function recordPhase(context: Context, id: number, name: PhaseName | TrialPhase): void {
  const { migrations } = context.store;
  const write = () => migrations.phase(id, name, Date.now());
  const migration = migrations.find(id)!;
  if (stageOf(migration) === stageOf({ ...migration, state: name })) writeIfPossible(context, write);
  else write();
  writeIfPossible(context, () => tellPhase(context, id, name));
}

/** For those who follow the events; see `tellStart`. */
function tellPhase({ store }: Context, id: number, phase: string): void {
  const migration = store.migrations.find(id)!;
  const { slice, vn } = migration;
  const { from, to } = endsOf(migration);
  store.events.add(slice, 'migration-phase', `VN '${vn}' from placement ${from} to ${to}: ${phase}`, {
    migration: id,
    vn,
    phase,
  });
}

/** The event with which those of a migration begin; the last is `migration-` and its outcome. */
export function tellStart({ store }: Context, id: number): void {
  const migration = store.migrations.find(id)!;
  const { slice, vn, from, to } = migration;
  const ends = endsOf(migration);
  const detail = { migration: id, vn, from, to };
  store.events.add(slice, 'migration-started', `VN '${vn}' from placement ${ends.from} to ${ends.to}`, detail);
}
