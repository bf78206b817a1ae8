/** How much history to keep. Records that a migration needs to continue are never removed. */
export interface Retention {
  readonly eventDays: number;
  readonly events: number;
  /** Finished migrations. */
  readonly migrations: number;
  /** Runs of each job. */
  readonly jobRuns: number;
}

export const defaultRetention: Retention = { eventDays: 90, events: 50_000, migrations: 20_000, jobRuns: 1000 };

const dayMs = 86_400_000;

/**
 * Removes the oldest records beyond the retention, and returns their number. The file keeps its size and reuses the
 * space.
 */
export function prune(db: Db, { eventDays, events, migrations, jobRuns }: Retention, now: number): number {
  const oldEvents = db
    .prepare('delete from events where at < ? or id <= (select max(id) from events) - ?')
    .run(now - eventDays * dayMs, events);
  const oldMigrations = db
    .prepare(
      `delete from migrations where outcome is not null
         and id <= (select id from migrations order by id desc limit 1 offset ?)
         and not exists (select 1 from instances i where i.id in (old_instance, new_instance) and i.state <> 'active')`,
    )
    .run(migrations);
  const oldRuns = db
    .prepare(
      `delete from job_runs where finished_at is not null and id in
         (select id from (select id, row_number() over (partition by job_id order by id desc) as age from job_runs) where age > ?)`,
    )
    .run(jobRuns);
  return oldEvents.changes + oldMigrations.changes + oldRuns.changes;
}

import type { Db } from './db.ts';
