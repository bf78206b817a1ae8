import type { MigrationDetail, MigrationRecord, MigrationStore } from '../../store/migrations.ts';

/** Read at a time. */
const batch = 200;

/**
 * Answers, whenever it is called, the migrations that have ended since the call before, or since it was made: each ending once, whoever
 * ran the migration. One that failed and was then resumed ends again, and comes with what is new since: its phases and
 * redirections, not its flows, which were counted before.
 */
export function followMigrations(
  migrations: Pick<MigrationStore, 'lastId' | 'after' | 'find' | 'detail' | 'unfinished'>,
): () => MigrationDetail[] {
  let newest = migrations.lastId();
  /** Those that can end, or end again, with the end that is known. */
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

/** `before`: when it ended last time; null: this is the first. */
function partsSince(detail: MigrationDetail, before: number | null): MigrationDetail {
  if (before === null) return detail;
  return {
    ...detail,
    phases: detail.phases.filter(({ finishedAt }) => finishedAt !== null && finishedAt > before),
    redirections: detail.redirections.filter(({ finishedAt }) => finishedAt > before),
    flows: [],
  };
}
