import type { Context } from './context.ts';

/** The phases of a migration, recorded and reported as they begin, and timed. */
export interface Phases {
  /** Ends the phase under way and begins another. */
  begin(name: string): void;
  end(): void;
  list(): { name: string; ms: number }[];
}

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
      if (migration !== undefined) context.store.migrations.phase(migration, name, Date.now());
      context.report({ kind: 'phase', text: name });
    },
    end,
    list: () => done,
  };
}
