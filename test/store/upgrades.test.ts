/** Upgrades of databases of older versions, created from their schemas. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stageOf } from '../../src/controller/base/phase.ts';
import { VnmError } from '../../src/model/errors.ts';
import type { Slice, VirtualNetwork } from '../../src/model/slice.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { schemaVersion } from '../../src/store/database.ts';
import { openStore } from '../../src/store/store.ts';
import { upgradeDatabase } from '../../src/store/upgrades.ts';
import { migrationStart } from '../support/migrations.ts';
import { gallery, sharedNode } from '../support/slices.ts';

const schemaOf = (version: 1 | 5 | 6 | 7 | 8 | 9) =>
  readFileSync(fileURLToPath(new URL(`schema-v${version}.sql`, import.meta.url)), 'utf8');
const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-upgrades-'));
  path = join(directory, 'old.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A database of an older version with a slice that has a VN on its initial placement. */
function makeInstalled(version: 5 | 6 | 7 | 8 | 9, wanted: Slice) {
  const vn = wanted.vns[0]!;
  const store = openStore(join(directory, 'model.db'));
  store.slices.save(wanted);
  const plan = (slot: number) => planInstance(wanted, vn, vn.placements.get('initial')!, slot);
  const { record, instance } = store.instances.add(wanted.name, vn.name, 'initial', 4, plan, () => namespaces(vn));
  store.instances.activate(record.id);
  store.close();
  makeOld(version).close();
  return { id: record.id, instance };
}

/** A database of an older version with the rows of `model.db` that it supports. */
function makeOld(version: 1 | 5 | 6 | 7 | 8 | 9, without: readonly string[] = []) {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.exec(schemaOf(version));
  db.pragma('foreign_keys = OFF');
  db.prepare('attach ? as model').run(join(directory, 'model.db'));
  for (const table of tablesOf(db)) {
    if (without.includes(table)) continue;
    const columns = columnsOf(db, table).join(', ');
    db.exec(`insert into main.${table} (${columns}) select ${columns} from model.${table}`);
  }
  db.exec('detach model');
  db.pragma(`user_version = ${version}`);
  return db;
}

const namespaces = ({ routers }: VirtualNetwork) => new Map(routers.map(({ name }) => [name, `ns-${name}`]));

/**
 * A version 1 with the three-node slice on its initial placement, a second instance in `fresh`, and these migrations.
 */
function makeV1(migrations: readonly string[], fresh: string | undefined) {
  const store = openStore(join(directory, 'model.db'));
  store.slices.save(slice);
  store.testbeds.add('tb1', join(directory, 'tb1'));
  store.testbeds.saveRecord('tb1', {}, [slice.name]);
  const add = (placement: string) =>
    store.instances.add(
      slice.name,
      vn.name,
      placement,
      4,
      (slot) => planInstance(slice, vn, vn.placements.get(placement)!, slot),
      () => namespaces(vn),
    );
  const { record, instance } = add('initial');
  store.instances.activate(record.id);
  store.instances.saveRoutes(record.id, computeRoutes(vn, instance, planVn(slice, vn).access));
  store.instances.setSettings(slice.name, vn.name, { mtu: 1450, urpf: 'strict' });
  if (fresh !== undefined) store.instances.setState(add('final').record.id, fresh as 'joining');
  store.events.add(slice.name, 'installed', 'on initial');
  store.close();
  const db = makeOld(1, ['migrations']);
  for (const values of migrations) {
    db.exec(`insert into migrations (id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, outcome,
      started_at, finished_at, error) values (${values})`);
  }
  return db;
}

type Db = Database.Database;

function tablesOf(db: Db): string[] {
  return db
    .prepare<[], string>(
      "select name from main.sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name",
    )
    .pluck()
    .all();
}

function columnsOf(db: Db, table: string): string[] {
  return (db.pragma(`main.table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

/** All rows of every table in `tables`, with these columns. */
function rowsOf(db: Db, columns: ReadonlyMap<string, readonly string[]>) {
  return new Map(
    [...columns].map(([table, names]) => [
      table,
      db.prepare(`select ${names.join(', ')} from ${table} order by rowid`).all(),
    ]),
  );
}

/** The meaning of a schema, without comments and formatting. */
function meaningOf(db: Db) {
  const statements = db
    .prepare<[], { name: string; sql: string }>(
      'select name, sql from sqlite_schema where sql is not null order by name',
    )
    .all();
  const pragma = (text: string) => db.pragma(text) as object[];
  return {
    statements: statements.map(({ name, sql }) => [
      name,
      sql
        .replaceAll(/--.*$/gm, '')
        .replaceAll('"', '')
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ ?([(),]) ?/g, '$1'),
    ]),
    tables: tablesOf(db).map((table) => ({
      table,
      columns: pragma(`table_xinfo(${table})`),
      foreignKeys: pragma(`foreign_key_list(${table})`),
      indexes: (pragma(`index_list(${table})`) as { name: string }[]).map((index) => [
        index,
        pragma(`index_xinfo(${index.name})`),
      ]),
      strict: pragma(`table_list(${table})`),
    })),
  };
}

function thrownBy(body: () => unknown): VnmError {
  try {
    body();
  } catch (error) {
    if (error instanceof VnmError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A program that upgrades the database but is killed: in the second step, or before it keeps the copy. */
function killedAt(where: string): string {
  const url = (name: string) => JSON.stringify(new URL(`../../${name}`, import.meta.url).href);
  return `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    import Database from ${url('node_modules/better-sqlite3/lib/index.js')};
    const kill = () => process.kill(process.pid, 'SIGKILL');
    if (${JSON.stringify(where)} === 'rename') { fs.renameSync = kill; syncBuiltinESMExports(); }
    const { upgradeDatabase } = await import(${url('src/store/upgrades.ts')});
    const db = new Database(process.argv[1]);
    const exec = db.exec.bind(db);
    let steps = 0;
    if (${JSON.stringify(where)} === 'exec') db.exec = (sql) => (++steps === 2 ? kill() : exec(sql));
    upgradeDatabase(db, process.argv[1], ${schemaVersion});
  `;
}

const finished = `1, 'three', 'three', 'final', 'initial', 'gateway', 'optimal', 'feasible', 'completed', 'completed', 1000, 2000, null`;
const forgotten = `2, 'three', 'three', 'initial', 'final', 'gateway', 'optimal', 'feasible', 'measure', null, 3000, null, null`;
const latest = `3, 'three', 'three', 'initial', 'final', 'remote', 'heuristic', 'feasible', 'redirect', null, 4000, null, null`;

describe('a database of version 1', () => {
  test('an upgraded version 1 has the current schema, and all its rows', () => {
    const old = makeV1([finished], 'joining');
    const columns = new Map(tablesOf(old).map((table) => [table, columnsOf(old, table)]));
    const before = rowsOf(old, columns);
    expect([...before.values()].filter((rows) => rows.length > 0).length).toBeGreaterThan(15);
    old.close();
    openStore(path).close();
    const another = openStore(join(directory, 'new.db'));
    another.events.add(undefined, 'made', 'so that it stays');
    another.close();
    const upgraded = new Database(path);
    const fresh = new Database(join(directory, 'new.db'));
    expect(meaningOf(upgraded)).toEqual(meaningOf(fresh));
    expect(upgraded.pragma('user_version')).toEqual(fresh.pragma('user_version'));
    expect(rowsOf(upgraded, columns)).toEqual(before);
    expect(upgraded.pragma('integrity_check', { simple: true })).toBe('ok');
    upgraded.close();
    fresh.close();
  });

  test('an upgraded version 1 is readable, and not upgraded again', () => {
    makeV1([finished], undefined).close();
    for (let time = 1; time <= 2; time += 1) {
      const store = openStore(path);
      expect(store.slices.find('three')).toEqual(slice);
      const active = store.instances.active('three', 'three')!;
      const planned = planInstance(slice, vn, vn.placements.get('initial')!, 0);
      expect(store.instances.plan(active.id)).toEqual(planned);
      expect(store.instances.routes(active.id)).toEqual(computeRoutes(vn, planned, planVn(slice, vn).access));
      expect(store.migrations.list('three')).toMatchObject([{ id: 1, outcome: 'completed', finishedAt: 2000 }]);
      expect(store.migrations.unfinished()).toEqual([]);
      rmSync(`${path}.v1`, { force: time === 2 });
      store.close();
    }
  });

  test('the upgrade keeps a copy of version 1 next to the database', () => {
    const old = makeV1([finished, forgotten], undefined);
    const columns = new Map(tablesOf(old).map((table) => [table, columnsOf(old, table)]));
    const [before, meaning] = [rowsOf(old, columns), meaningOf(old)];
    old.close();
    openStore(path).close();
    const copy = new Database(`${path}.v1`, { readonly: true });
    expect(copy.pragma('user_version', { simple: true })).toBe(1);
    expect(meaningOf(copy)).toEqual(meaning);
    expect(rowsOf(copy, columns)).toEqual(before);
    copy.close();
  });

  test('an upgraded version 1 can continue an interrupted migration; migrations without remains have ended', () => {
    makeV1([finished, forgotten, latest], 'joining').close();
    const store = openStore(path);
    const [old, fresh] = store.instances.list({ slice: 'three' });
    const unfinished = store.migrations.unfinished();
    expect(unfinished).toMatchObject([
      { id: 3, state: 'redirect', outcome: null, oldInstance: old!.id, newInstance: fresh!.id, urpfBefore: 'strict' },
    ]);
    expect(JSON.parse(unfinished[0]!.options)).toEqual({
      to: 'final',
      control: 'remote',
      schedule: 'heuristic',
      granularity: 'gateway',
      urpf: 'feasible',
      traffic: false,
    });
    expect(store.migrations.find(2)).toMatchObject({
      outcome: 'failed',
      state: 'measure',
      error: 'it was interrupted',
      finishedAt: 3000,
    });
    store.close();
  });

  test('an upgraded version 1 has the phase where an incomplete rollback ended', () => {
    const db = makeV1([latest.replace("'redirect', null", "'failed', 'failed'")], 'removing');
    db.exec("insert into migration_phases values (3, 0, 'redirect', 4000, 4100), (3, 1, 'roll back', 4100, 4200)");
    db.close();
    const store = openStore(path);
    expect(store.migrations.unfinished()).toMatchObject([{ id: 3, outcome: 'failed', state: 'roll back' }]);
    store.close();
  });

  test('an upgraded version 1 reuses no instance id', () => {
    makeV1([], 'joining').close();
    const store = openStore(path);
    const [old, fresh] = store.instances.list();
    store.instances.remove(fresh!.id);
    const plan = (slot: number) => planInstance(slice, vn, vn.placements.get('final')!, slot);
    const { record } = store.instances.add('three', 'three', 'final', 4, plan, () => new Map());
    expect(record.id).toBeGreaterThan(Math.max(old!.id, fresh!.id));
    store.close();
  });

  test('a version 1 with broken references stays unchanged, and is reported', () => {
    const db = makeV1([finished], undefined);
    db.exec("insert into slice_ntp_servers values (99, 0, 'ntp.example.org')");
    const meaning = meaningOf(db);
    db.close();
    expect(() => openStore(path)).toThrow(
      `the database ${path} stays at version 1: checking its references failed: its table slice_ntp_servers has broken references`,
    );
    const same = new Database(path);
    expect(same.pragma('user_version', { simple: true })).toBe(1);
    expect(meaningOf(same)).toEqual(meaning);
    same.close();
    expect(readdirSync(directory).filter((name) => name.includes('.v1'))).toEqual([]);
  });

  test('a version 1 stays unchanged while the disk is full, and is upgraded when there is space', () => {
    const db = makeV1([finished], undefined);
    const meaning = meaningOf(db);
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
    const error = thrownBy(() => upgradeDatabase(db, path, schemaVersion));
    expect(error.message).toBe(
      `the database ${path} stays at version 1: the upgrade from version 1 to 2 failed: database or disk is full`,
    );
    expect(error.hint).toBe(
      `free space for two more copies of ${path} on its disk, and run the command again; until then use the program version that created it`,
    );
    expect(meaningOf(db)).toEqual(meaning);
    db.close();
    expect(readdirSync(directory).filter((name) => name.includes('.v1'))).toEqual([]);
    const store = openStore(path);
    expect(store.slices.find('three')).toEqual(slice);
    store.close();
  });

  test.each(['exec', 'rename'])(
    'a version 1 stays unchanged if the command is killed at an %s of the upgrade',
    (where) => {
      makeV1([finished], undefined).close();
      const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', killedAt(where), path]);
      expect(signal).toBe('SIGKILL');
      const left = new Database(path);
      expect(left.pragma('user_version', { simple: true })).toBe(1);
      expect(left.prepare('select count(*) from slices').pluck().get()).toBe(1);
      left.close();
      const store = openStore(path);
      expect(store.slices.find('three')).toEqual(slice);
      store.close();
      const copy = new Database(`${path}.v1`, { readonly: true });
      expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(copy.pragma('user_version', { simple: true })).toBe(1);
      copy.close();
      expect(readdirSync(directory).filter((name) => name.endsWith('.partial'))).toEqual([]);
    },
  );
});

describe.each([5, 6, 7, 8, 9] as const)('a database of version %d', (version) => {
  test('an upgraded database has the current schema', () => {
    makeInstalled(version, slice);
    openStore(path).close();
    const another = openStore(join(directory, 'new.db'));
    another.events.add(undefined, 'made', 'so that it stays');
    another.close();
    const [upgraded, fresh] = [new Database(path), new Database(join(directory, 'new.db'))];
    expect(meaningOf(upgraded)).toEqual(meaningOf(fresh));
    upgraded.close();
    fresh.close();
  });
});

describe('a database of version 5', () => {
  test('an upgraded version 5 keeps its VNs, with their tunnel kinds, and has static routers', () => {
    const wanted = sharedNode();
    const { id, instance } = makeInstalled(5, wanted);
    expect(new Set(instance.links.map(({ tunnel }) => tunnel))).toEqual(new Set(['local', 'vxlan']));
    const store = openStore(path);
    const found = store.slices.find(wanted.name)!;
    expect(found).toEqual(wanted);
    for (const router of found.vns[0]!.routers) expect(router).toMatchObject({ kind: 'static', config: {} });
    expect(store.instances.plan(id)).toEqual(instance);
    store.close();
  });
});

describe('a database of version 6', () => {
  test('an upgraded version 6 keeps its instances, and reuses no instance id', () => {
    const { id, instance } = makeInstalled(6, slice);
    const old = new Database(path);
    old.exec("update sqlite_sequence set seq = 7 where name = 'instances'");
    old.close();
    const store = openStore(path);
    expect(store.instances.plan(id)).toEqual(instance);
    expect(store.instances.list()).toMatchObject([{ id, placementName: 'initial', state: 'active' }]);
    const plan = (slot: number) => planInstance(slice, vn, vn.placements.get('final')!, slot);
    const { record } = store.instances.add(slice.name, vn.name, 'final', 4, plan, () => namespaces(vn));
    expect(record.id).toBe(8);
    store.close();
  });

  test('an upgraded version 6 keeps its migrations, with only the names of their placements', () => {
    const { id } = makeInstalled(6, slice);
    const old = new Database(path);
    old.exec(`insert into migrations (id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, started_at,
      options, urpf_before, old_instance, from_record)
      values (3, 'three', 'vn', 'initial', 'final', 'gateway', 'optimal', 'feasible', 'clone', 5, '{}', 'strict', ${id}, '["a"]')`);
    old.close();
    const store = openStore(path);
    expect(store.migrations.find(3)).toMatchObject({
      from: 'initial',
      to: 'final',
      fromNodes: null,
      toNodes: null,
      fromRecord: ['a'],
      state: 'clone',
      oldInstance: id,
    });
    store.close();
  });
});

describe('a database of version 7', () => {
  test('an upgraded version 7 gives each slice a key of its own, and its instances the tunnels of the kernel', () => {
    const { id, instance } = makeInstalled(7, slice);
    const old = new Database(path);
    old.exec("insert into slices (name, number, vnet, latency_default_ms) values ('other', 9, '10.9.0.0/16', 0)");
    old.close();
    const store = openStore(path);
    const keys = ['three', 'other'].map((name) => store.slices.tunnelKey(name));
    expect(new Set(keys).size).toBe(2);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
    expect(store.instances.plan(id)).toEqual(instance);
    expect(instance.nodeTunnel).toBe('vxlan');
    store.close();
  });

  test('a migration interrupted while it removed the new instance can be recovered after the upgrade', () => {
    const { id } = makeInstalled(7, slice);
    const old = new Database(path);
    old.exec(`insert into migrations (id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, started_at,
      options, urpf_before, old_instance)
      values (3, 'three', 'vn', 'initial', 'final', 'gateway', 'optimal', 'feasible', 'take the new instance away', 5, '{}',
        'strict', ${id});
      insert into migration_phases (migration_id, ordinal, name, started_at) values (3, 0, 'take the new instance away', 5)`);
    old.close();
    const store = openStore(path);
    const [migration] = store.migrations.unfinished('three');
    expect(migration!.state).toBe('remove the new instance');
    expect(stageOf(migration!)).toBe('before');
    store.close();
    const upgraded = new Database(path);
    expect(upgraded.prepare('select name from migration_phases').pluck().all()).toEqual(['remove the new instance']);
    upgraded.close();
  });
});

describe('a database of version 8', () => {
  test('an upgraded version 8 keeps its VNs, whose routers speak no routing protocol', () => {
    const { id, instance } = makeInstalled(8, slice);
    const store = openStore(path);
    expect(store.slices.find('three')).toEqual(slice);
    expect(store.slices.find('three')!.vns[0]).not.toHaveProperty('routing');
    expect(store.instances.plan(id)).toEqual(instance);
    store.close();
  });
});

describe('a database of version 9', () => {
  test('an upgraded version 9 keeps its jobs, which move all routers, and can record flips', () => {
    makeInstalled(9, slice);
    const old = new Database(path);
    old.exec(`insert into jobs (name, slice, vn, placements, cron, timezone, options, missed, retries, retry_wait_ms,
        latest_start_ms, state, created_at, checked_at)
      values ('weekly', 'three', 'three', '["final","initial"]', '0 3 * * 1', 'UTC', '{}', 'skip', 3, 1, 1, 'active', 1, 1)`);
    old.close();
    const store = openStore(path);
    expect(store.jobs.list()).toMatchObject([{ name: 'weekly', router: null, placements: ['final', 'initial'] }]);
    const id = store.migrations.start(migrationStart());
    const flip = { router: 'a', neighbour: 'b', to: 'p4', startedAt: 1, finishedAt: 2 };
    store.migrations.addFlip(id, flip);
    expect(store.migrations.detail(id)!.flips).toEqual([flip]);
    store.close();
  });

  test('an upgraded version 9 keeps its VNs, and no node has a way of its own', () => {
    const { id, instance } = makeInstalled(9, slice);
    const store = openStore(path);
    expect(store.slices.find('three')).toEqual(slice);
    expect(store.instances.plan(id)).toEqual(instance);
    expect([...store.slices.find('three')!.nodes.values()].filter((node) => 'ssh' in node)).toEqual([]);
    store.close();
  });
});
