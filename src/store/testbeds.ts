import type { Db } from './db.ts';

/**
 * The local testbeds. A testbed is recorded before anything is created, so that an interrupted `up` can be cleaned up.
 */
export interface TestbedStore {
  add(id: string, directory: string): void;
  /** Records what `testbed up` created, and for which slices. */
  saveRecord(id: string, record: unknown, slices: readonly string[]): void;
  list(): TestbedRow[];
  forSlice(slice: string): TestbedRow | undefined;
  remove(id: string): void;
}

export interface TestbedRow {
  readonly id: string;
  readonly directory: string;
  readonly state: 'coming-up' | 'up';
  /** JSON; null until it is up. */
  readonly record: string | null;
}

/** The part of the record with the places of the nodes; only the testbed uses the rest. */
export interface TestbedPlaces {
  readonly knownHosts: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly key: string;
    /** The address that other nodes send tunnel packets to. */
    readonly address: string;
    /** On a userspace testbed: the UDP port of that address, by slice. */
    readonly tunnelPorts?: Readonly<Record<string, number>>;
    /** The login's PL_VNM_DIR. */
    readonly agentDirectory?: string;
  }[];
}

export function testbedStore(db: Db): TestbedStore {
  return {
    add: (id, directory) => {
      db.prepare("insert into testbeds (id, directory, state) values (?, ?, 'coming-up')").run(id, directory);
    },
    saveRecord: db.transaction((id: string, record: unknown, slices: readonly string[]) => {
      db.prepare("update testbeds set state = 'up', record = ? where id = ?").run(JSON.stringify(record), id);
      db.prepare('update slices set testbed_id = null where testbed_id = ?').run(id);
      for (const slice of slices) db.prepare('update slices set testbed_id = ? where name = ?').run(id, slice);
    }),
    list: () => db.prepare<[], TestbedRow>('select id, directory, state, record from testbeds order by id').all(),
    forSlice: (slice) =>
      db
        .prepare<[string], TestbedRow>(
          `select t.id, t.directory, t.state, t.record from testbeds t join slices s on s.testbed_id = t.id where s.name = ?`,
        )
        .get(slice),
    remove: (id) => {
      db.prepare('delete from testbeds where id = ?').run(id);
    },
  };
}
