import type { MigrationDetail, MigrationRecord, MigrationStore } from '../../store/migrations.ts';

/** The number of migrations read from the database at once. */
const batch = 200;

/**
 * Returns a function that returns the migrations that have ended since its last call, or since it was made. Each end is
 * returned once, whichever process ran the migration. A migration that failed and was then resumed ends again; it comes
 * with its new phases and redirections only, and without its flows, which were counted before.
 */
export function followMigrations(
  migrations: Pick<MigrationStore, 'lastId' | 'after' | 'find' | 'detail' | 'unfinished'>,
): () => MigrationDetail[] {
  let newest = migrations.lastId();
  /** The migrations that can end, or end again, by id; with their last known end. */
  let watched = new Map(migrations.unfinished().map(({ id, finishedAt }) => [id, finishedAt]));

  function fresh(): MigrationRecord[] {
    const all: MigrationRecord[] = [];
    for (let isMore = true; isMore; ) {
      const some = migrations.after(newest, batch);
      all.push(...some);
      newest = some.at(-1)?.id ?? newest;
      isMore = some.length === batch;
    }
    return all;
  }

  return () => {
    const candidates = [...[...watched.keys()].map((id) => migrations.find(id)), ...fresh()];
    if (candidates.length === 0) return [];
    const canEnd = new Set(migrations.unfinished().map(({ id }) => id));
    const ended: MigrationDetail[] = [];
    const next: typeof watched = new Map();
    for (const record of candidates) {
      if (record === undefined) continue;
      const { id, outcome, finishedAt } = record;
      const before = watched.get(id) ?? null;
      const hasEnded = outcome !== null && finishedAt !== before;
      if (hasEnded) ended.push(partsSince(migrations.detail(id)!, before));
      if (canEnd.has(id)) next.set(id, hasEnded ? finishedAt : before);
    }
    watched = next;
    return ended;
  };
}

/** Returns the parts since `before`, when the migration last ended; all parts if it is null. */
function partsSince(detail: MigrationDetail, before: number | null): MigrationDetail {
  if (before === null) return detail;
  return {
    ...detail,
    phases: detail.phases.filter(({ finishedAt }) => finishedAt !== null && finishedAt > before),
    redirections: detail.redirections.filter(({ finishedAt }) => finishedAt > before),
    flows: [],
  };
}
