/** Identifies a process, even among processes that had the same pid. */
export interface Holder {
  readonly host: string;
  /** The id of the machine's boot. */
  readonly boot: string;
  readonly pid: number;
  readonly processStart: string;
}

export interface LockRecord extends Holder {
  readonly id: number;
  readonly slice: string;
  /** Null: the whole slice. */
  readonly vn: string | null;
  readonly command: string;
  readonly at: number;
}

/** The locks of commands on slices and VNs. */
export interface LockStore {
  /**
   * Returns the id of the new lock, or the conflicting lock: one on the same VN, or if either is on the whole slice.
   * Removes locks that are `isDead`.
   */
  acquire(
    wanted: { slice: string; vn: string | undefined; command: string; holder: Holder },
    isDead: (lock: LockRecord) => boolean,
  ): number | LockRecord;
  release(id: number): void;
  list(slice?: string): LockRecord[];
}

const select = 'select id, slice, vn, command, host, boot, pid, process_start as processStart, at from locks';

export function lockStore(db: Db): LockStore {
  const list = (slice?: string) =>
    db
      .prepare<unknown[], LockRecord>(`${select} where ? is null or slice = ? order by id`)
      .all(slice ?? null, slice ?? null);
  const release = (id: number) => {
    db.prepare('delete from locks where id = ?').run(id);
  };
  return {
    acquire: ({ slice, vn, command, holder }, isDead) =>
      db
        .transaction(() => {
          for (const lock of list(slice)) {
            if (isDead(lock)) release(lock.id);
            else if (vn === undefined || lock.vn === null || lock.vn === vn) return lock;
          }
          const { host, boot, pid, processStart } = holder;
          return db
            .prepare<unknown[], number>(
              'insert into locks (slice, vn, command, host, boot, pid, process_start, at) values (?, ?, ?, ?, ?, ?, ?, ?) returning id',
            )
            .pluck()
            .get(slice, vn ?? null, command, host, boot, pid, processStart, Date.now())!;
        })
        .immediate(),
    release,
    list,
  };
}

import type { Db } from './db.ts';
