/**
 * Upgrades older databases to the current schema, version by version. Each upgrade is complete SQL that does not change
 * when schema.sql does, because the next upgrade starts from its result.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf, VnmError } from '../model/errors.ts';
import { isFullError } from './database-error.ts';
import type { Db } from './db.ts';

/** The SQL from each version to the next. */
const upgrades: Readonly<Record<number, string>> = {
  1: `
    create table new_slices (
      id integer primary key,
      name text not null unique,
      number integer not null,
      vnet text not null,
      latency_default_ms real not null,
      repair integer not null default 1,
      testbed_id text references testbeds (id) on delete set null
    ) strict;
    insert into new_slices (id, name, number, vnet, latency_default_ms, testbed_id)
      select id, name, number, vnet, latency_default_ms, testbed_id from slices;
    drop table slices;
    alter table new_slices rename to slices;

    create table new_instances (
      id integer primary key autoincrement,
      vn_id integer not null references vns (id) on delete restrict,
      slice_id integer not null references slices (id) on delete restrict,
      placement text not null,
      slot integer not null,
      block text not null,
      state text not null check (state in ('installing', 'active', 'joining', 'draining', 'removing')),
      created_at real not null,
      unique (slice_id, slot)
    ) strict;
    insert into new_instances select id, vn_id, slice_id, placement, slot, block, state, created_at from instances;
    drop table instances;
    alter table new_instances rename to instances;
    create unique index one_active_instance on instances (vn_id) where state = 'active';

    create table new_migrations (
      id integer primary key,
      slice text not null,
      vn text not null,
      from_placement text not null,
      to_placement text not null,
      control text not null,
      schedule text not null,
      urpf text not null,
      state text not null,
      outcome text check (outcome in ('completed', 'rolled-back', 'failed')),
      started_at real not null,
      finished_at real,
      error text,
      options text not null,
      urpf_before text not null,
      old_instance integer not null,
      new_instance integer,
      armed_id text,
      drain_ms real,
      from_record text
    ) strict;

    -- Version 1 could not continue an interrupted migration. The remaining instances of a VN's latest one show how.
    create temp table unfinished as
      select m.id,
        (select id from instances where vn_id = v.id and placement = m.from_placement order by id limit 1) as old_instance,
        (select id from instances where vn_id = v.id and placement = m.to_placement order by id limit 1) as new_instance
      from migrations m join slices s on s.name = m.slice join vns v on v.slice_id = s.id and v.name = m.vn
      where (m.outcome is null or m.outcome = 'failed')
        and m.id = (select max(id) from migrations where slice = m.slice and vn = m.vn)
        and exists (select 1 from instances where vn_id = v.id and state <> 'active');
    insert into new_migrations (id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, outcome,
        started_at, finished_at, error, options, urpf_before, old_instance, new_instance)
      select m.id, m.slice, m.vn, m.from_placement, m.to_placement, m.control, m.schedule, m.urpf,
        iif(m.outcome is null or m.outcome = 'failed',
          coalesce((select name from migration_phases where migration_id = m.id order by ordinal desc limit 1), m.state), m.state),
        iif(u.id is null, coalesce(m.outcome, 'failed'), m.outcome),
        m.started_at,
        iif(u.id is null, coalesce(m.finished_at, m.started_at), m.finished_at),
        iif(u.id is null and m.outcome is null, 'it was interrupted', m.error),
        json_object('to', m.to_placement, 'control', m.control, 'schedule', m.schedule, 'granularity', 'gateway',
          'urpf', m.urpf, 'traffic', json('false')),
        coalesce((select v.urpf from vns v join slices s on s.id = v.slice_id where s.name = m.slice and v.name = m.vn), m.urpf),
        coalesce(u.old_instance, 0), u.new_instance
      from migrations m left join unfinished u on u.id = m.id;
    drop table unfinished;
    drop table migrations;
    alter table new_migrations rename to migrations;

    create table new_events (
      id integer primary key autoincrement,
      at real not null,
      slice text,
      kind text not null,
      message text not null,
      detail text
    ) strict;
    insert into new_events (id, at, slice, kind, message, detail) select id, at, slice, kind, message, detail from events;
    drop table events;
    alter table new_events rename to events;
    create index events_by_slice on events (slice, at);

    create table new_routes (
      instance_id integer not null references instances (id) on delete cascade,
      router text not null,
      ordinal integer not null,
      prefix text not null,
      type text not null,
      nexthops text not null,
      metric integer,
      source text,
      protocol text not null,
      added integer not null default 0,
      primary key (instance_id, router, added, ordinal)
    ) strict;
    insert into new_routes (instance_id, router, ordinal, prefix, type, nexthops, metric, source, protocol)
      select instance_id, router, ordinal, prefix, type, nexthops, metric, source, protocol from routes;
    drop table routes;
    alter table new_routes rename to routes;

    create table locks (
      id integer primary key autoincrement,
      slice text not null,
      vn text,
      command text not null,
      host text not null,
      boot text not null,
      pid integer not null,
      process_start text not null,
      at real not null
    ) strict;
    create index locks_by_slice on locks (slice);

    create table health (
      slice text not null,
      vn text not null,
      kind text not null check (kind in ('node', 'router', 'tunnel', 'path')),
      name text not null,
      state text not null check (state in ('unknown', 'up', 'suspect', 'down')),
      since real not null,
      cause text not null,
      primary key (slice, vn, kind, name)
    ) strict;

    create table services (
      id integer primary key check (id = 1),
      host text not null,
      boot text not null,
      pid integer not null,
      process_start text not null,
      url text not null,
      started_at real not null,
      seen_at real not null
    ) strict;

    create table jobs (
      id integer primary key autoincrement,
      name text not null unique,
      slice text not null,
      vn text not null,
      placements text not null,
      cron text,
      at real,
      timezone text not null,
      options text not null,
      missed text not null check (missed in ('skip', 'once')),
      retries integer not null,
      retry_wait_ms real not null,
      latest_start_ms real not null,
      state text not null check (state in ('active', 'paused', 'done')),
      reason text,
      created_at real not null,
      checked_at real not null,
      retry_due_at real,
      retry_attempt integer,
      retry_at real,
      check ((cron is null) <> (at is null))
    ) strict;

    create table job_runs (
      id integer primary key autoincrement,
      job_id integer not null references jobs (id) on delete cascade,
      due_at real not null,
      attempt integer not null,
      placement text,
      started_at real,
      finished_at real,
      outcome text check (outcome in ('completed', 'unchanged', 'rolled-back', 'failed', 'skipped', 'missed')),
      migration_id integer,
      message text,
      host text,
      boot text,
      pid integer,
      process_start text
    ) strict;
    create unique index job_runs_once on job_runs (job_id, due_at, attempt) where attempt > 0;
    create index job_runs_under_way on job_runs (job_id) where finished_at is null;
  `,
  2: `
    alter table flow_results add column receiver_dropped integer not null default 0;
  `,
  3: `
    alter table substrate_nodes add column patience_s real;
  `,
  4: `
    alter table vns add column wanted_mtu integer;
  `,
  5: `
    create table new_interfaces (
      tunnel_id integer not null references tunnels (id) on delete cascade,
      side text not null check (side in ('a', 'b')),
      node text not null,
      router text,
      gateway text,
      name text not null,
      address text not null,
      mac text,
      primary key (tunnel_id, side),
      check ((router is null) <> (gateway is null))
    ) strict;
    insert into new_interfaces (tunnel_id, side, node, router, gateway, name, address, mac)
      select tunnel_id, side, node, router, gateway, name, address, mac from interfaces;
    drop table interfaces;
    alter table new_interfaces rename to interfaces;

    alter table virtual_routers add column kind text not null default 'static';
    alter table virtual_routers add column config text not null default '{}';
  `,
  6: `
    create table new_instances (
      id integer primary key autoincrement,
      vn_id integer not null references vns (id) on delete restrict,
      slice_id integer not null references slices (id) on delete restrict,
      placement text,
      slot integer not null,
      block text not null,
      state text not null check (state in ('installing', 'active', 'joining', 'draining', 'removing')),
      created_at real not null,
      unique (slice_id, slot)
    ) strict;
    insert into new_instances (id, vn_id, slice_id, placement, slot, block, state, created_at)
      select id, vn_id, slice_id, placement, slot, block, state, created_at from instances;
    delete from sqlite_sequence where name = 'new_instances';
    insert into sqlite_sequence (name, seq) select 'new_instances', seq from sqlite_sequence where name = 'instances';
    drop table instances;
    alter table new_instances rename to instances;
    create unique index one_active_instance on instances (vn_id) where state = 'active';

    create table new_instance_routers (
      instance_id integer not null references instances (id) on delete cascade,
      router text not null,
      node text not null,
      namespace text not null,
      moving_to text,
      moving_namespace text,
      primary key (instance_id, router),
      check ((moving_to is null) = (moving_namespace is null))
    ) strict;
    insert into new_instance_routers (instance_id, router, node, namespace)
      select instance_id, router, node, namespace from instance_routers;
    drop table instance_routers;
    alter table new_instance_routers rename to instance_routers;

    create table new_migrations (
      id integer primary key,
      slice text not null,
      vn text not null,
      from_placement text,
      to_placement text,
      control text not null,
      schedule text not null,
      urpf text not null,
      state text not null,
      outcome text check (outcome in ('completed', 'rolled-back', 'failed')),
      started_at real not null,
      finished_at real,
      error text,
      options text not null,
      urpf_before text not null,
      old_instance integer not null,
      new_instance integer,
      armed_id text,
      drain_ms real,
      from_nodes text,
      to_nodes text,
      from_record text
    ) strict;
    insert into new_migrations (id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, outcome, started_at,
        finished_at, error, options, urpf_before, old_instance, new_instance, armed_id, drain_ms, from_record)
      select id, slice, vn, from_placement, to_placement, control, schedule, urpf, state, outcome, started_at,
        finished_at, error, options, urpf_before, old_instance, new_instance, armed_id, drain_ms, from_record from migrations;
    drop table migrations;
    alter table new_migrations rename to migrations;
  `,
  7: `
    create table new_slices (
      id integer primary key,
      name text not null unique,
      number integer not null,
      vnet text not null,
      latency_default_ms real not null,
      repair integer not null default 1,
      tunnel_key text not null default (lower(hex(randomblob(16)))),
      testbed_id text references testbeds (id) on delete set null
    ) strict;
    insert into new_slices (id, name, number, vnet, latency_default_ms, repair, testbed_id)
      select id, name, number, vnet, latency_default_ms, repair, testbed_id from slices;
    drop table slices;
    alter table new_slices rename to slices;

    alter table substrate_nodes add column dataplane text;
    alter table instances add column node_tunnel text not null default 'vxlan';

    create table forwards (
      vn_id integer not null references vns (id) on delete cascade,
      ordinal integer not null,
      from_host text not null,
      port integer not null,
      to_host text not null,
      to_port integer not null,
      primary key (vn_id, ordinal),
      foreign key (vn_id, from_host) references end_hosts (vn_id, name) on delete cascade,
      foreign key (vn_id, to_host) references end_hosts (vn_id, name) on delete cascade
    ) strict;

    update migrations set state = 'remove the new instance' where state = 'take the new instance away';
    update migration_phases set name = 'remove the new instance' where name = 'take the new instance away';
  `,
  8: `
    alter table vns add column routing text;
  `,
  9: `
    create table flips (
      migration_id integer not null references migrations (id) on delete cascade,
      ordinal integer not null,
      router text not null,
      neighbour text not null,
      to_node text not null,
      started_at real not null,
      finished_at real not null,
      primary key (migration_id, ordinal)
    ) strict;
    alter table jobs add column router text;
    alter table substrate_nodes add column ssh text;
  `,
};

/**
 * Upgrades an older database to version `to`, completely or not at all; ignores an empty or newer one. Once all steps
 * have succeeded, a copy of the old file is kept next to it as `<path>.v<its version>`. Throws VnmError `failed`; the
 * database then still works with the program version that created it, and the next command tries again.
 */
export function upgradeDatabase(db: Db, path: string, to: number): void {
  const isOlder = () => upgrades[versionOf(db)] !== undefined && versionOf(db) < to;
  if (!isOlder()) return;
  const from = versionOf(db);
  const copy = `${path}.v${from}`;
  let step: string | undefined;
  // Otherwise dropping an old table would delete the rows that refer to it.
  db.pragma('foreign_keys = OFF');
  try {
    db.transaction(() => {
      // Another command may have upgraded it meanwhile.
      if (!isOlder()) return;
      step = 'copying it';
      makeCopy(path, partialOf(copy));
      for (let version = from; version < to; version += 1) {
        step = `the upgrade from version ${version} to ${version + 1}`;
        db.exec(upgrades[version]!);
      }
      step = 'checking its references';
      refuseBroken(db);
      db.pragma(`user_version = ${to}`);
      step = 'copying it';
      renameSync(partialOf(copy), copy);
      step = 'committing the upgrade';
    }).immediate();
  } catch (error) {
    // Another command may be upgrading it.
    if (step === undefined) throw error;
    rmSync(partialOf(copy), { force: true });
    throw new VnmError('failed', `the database ${path} stays at version ${from}: ${step} failed: ${messageOf(error)}`, {
      hint: `${adviceFor(error, path)}; until then use the program version that created it`,
      cause: error,
    });
  }
}

function adviceFor(error: unknown, path: string): string {
  if (error instanceof Broken) return 'choose another file with --db, or remove the rows with broken references';
  const isFull = isFullError(error) || (error as NodeJS.ErrnoException).code === 'ENOSPC';
  return isFull
    ? `free space for two more copies of ${path} on its disk, and run the command again`
    : `check the disk and the permissions of ${path}, and run the command again`;
}

function versionOf(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number;
}

class Broken extends Error {}

function refuseBroken(db: Db): void {
  const [broken] = db.pragma('foreign_key_check') as { table: string }[];
  if (broken !== undefined) throw new Broken(`its table ${broken.table} has broken references`);
}

/** The path of an unfinished copy. One that an interrupted command left behind is overwritten. */
function partialOf(copy: string): string {
  return `${copy}.partial`;
}

/**
 * Copies the database through a separate connection, which reads the committed data; no other process can write
 * meanwhile. The copy is on the disk when this returns.
 */
function makeCopy(path: string, copy: string): void {
  rmSync(copy, { force: true });
  const reader = new Database(path, { readonly: true });
  try {
    reader.prepare('vacuum into ?').run(copy);
  } finally {
    reader.close();
  }
  const file = openSync(copy, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
