-- The controller's database: what the user wants (slices, VNs, placements), what is installed (instances with their
-- tunnels, interfaces and routes), and what happened (migrations, redirections, flows, events).
-- Times are Unix ms. Latencies are one-way ms. The version for upgrades is in `pragma user_version`.

create table testbeds (
  id text primary key,                       -- marks every namespace of the testbed
  directory text not null unique,
  state text not null check (state in ('coming-up', 'up')),
  record text                                -- JSON of what `testbed up` created; null until it is up
) strict;

create table slices (
  id integer primary key,
  name text not null unique,
  number integer not null,                   -- separates names and ids of slices that share a node
  vnet text not null,
  latency_default_ms real not null,
  repair integer not null default 1,         -- whether the service repairs differences on the nodes
  -- for tunnels of the userspace data plane, hexadecimal; a slice keeps it for its lifetime
  tunnel_key text not null default (lower(hex(randomblob(16)))),
  testbed_id text references testbeds (id) on delete set null
) strict;

create table substrate_nodes (
  id integer primary key,
  slice_id integer not null references slices (id) on delete cascade,
  name text not null,
  host text,                                 -- null: on the local testbed
  port integer,
  user text,
  key_path text,                             -- a path; keys themselves are never stored
  address text,                              -- where other nodes send tunnel packets, if not to the host
  patience_s real,                           -- unit of all time limits for this node; null: the default
  dataplane text,                            -- 'userspace'; null: the kernel's, or the local testbed's
  ssh text,                                  -- JSON of how SSH reaches it (model/ssh-way.ts); null: nothing said
  unique (slice_id, name)
) strict;

create table substrate_latencies (
  slice_id integer not null references slices (id) on delete cascade,
  from_node text not null,
  to_node text not null,
  ms real not null,
  primary key (slice_id, from_node, to_node),
  foreign key (slice_id, from_node) references substrate_nodes (slice_id, name) on delete cascade,
  foreign key (slice_id, to_node) references substrate_nodes (slice_id, name) on delete cascade
) strict;

create table slice_ntp_servers (
  slice_id integer not null references slices (id) on delete cascade,
  ordinal integer not null,
  server text not null,                      -- host or host:port
  primary key (slice_id, ordinal)
) strict;

create table vns (
  id integer primary key,
  slice_id integer not null references slices (id) on delete cascade,
  name text not null,
  ordinal integer not null,                  -- order in the slice file, which numbers interfaces and addresses
  mtu integer,                               -- of all its tunnels; null if not installed
  urpf text check (urpf in ('strict', 'feasible', 'loose')),
  wanted_mtu integer,                        -- from the slice file; null: what the narrowest tunnel carries
  routing text,                              -- JSON of what its routing daemons speak; null: nothing
  unique (slice_id, name)
) strict;

create table virtual_routers (
  vn_id integer not null references vns (id) on delete cascade,
  ordinal integer not null,
  name text not null,
  kind text not null default 'static',       -- see model/router.ts
  config text not null default '{}',         -- JSON of the kind's settings
  primary key (vn_id, name)
) strict;

create table virtual_links (
  vn_id integer not null references vns (id) on delete cascade,
  ordinal integer not null,
  from_router text not null,
  to_router text not null,
  cost real not null,
  primary key (vn_id, ordinal),
  foreign key (vn_id, from_router) references virtual_routers (vn_id, name) on delete cascade,
  foreign key (vn_id, to_router) references virtual_routers (vn_id, name) on delete cascade
) strict;

create table gateways (
  vn_id integer not null references vns (id) on delete cascade,
  ordinal integer not null,
  name text not null,
  node text not null,
  router text not null,
  primary key (vn_id, name),
  foreign key (vn_id, router) references virtual_routers (vn_id, name) on delete cascade
) strict;

create table end_hosts (
  vn_id integer not null references vns (id) on delete cascade,
  ordinal integer not null,
  name text not null,
  node text not null,
  gateway text not null,
  primary key (vn_id, name),
  foreign key (vn_id, gateway) references gateways (vn_id, name) on delete cascade
) strict;

-- UDP ports of end hosts that lead to ports of other end hosts; see model/slice.ts.
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

create table flows (
  vn_id integer not null references vns (id) on delete cascade,
  ordinal integer not null,
  from_host text not null,
  to_host text not null,
  rate_bps real not null,
  priority real not null,
  payload_bytes integer,
  primary key (vn_id, from_host, to_host),
  foreign key (vn_id, from_host) references end_hosts (vn_id, name) on delete cascade,
  foreign key (vn_id, to_host) references end_hosts (vn_id, name) on delete cascade
) strict;

create table placements (
  id integer primary key,
  vn_id integer not null references vns (id) on delete cascade,
  name text not null,
  ordinal integer not null,
  unique (vn_id, name)
) strict;

create table placement_routers (
  placement_id integer not null references placements (id) on delete cascade,
  router text not null,
  node text not null,
  ordinal integer not null,
  primary key (placement_id, router)
) strict;

-- One VN on one placement. A row stays as long as a node may have anything of it.
create table instances (
  id integer primary key autoincrement,      -- never reused, because migrations refer to it

  vn_id integer not null references vns (id) on delete restrict,
  slice_id integer not null references slices (id) on delete restrict,
  placement text,                            -- the placement's name in the slice file; null: unnamed
  slot integer not null,
  block text not null,                       -- all its addresses
  state text not null check (state in ('installing', 'active', 'joining', 'draining', 'removing')),
  created_at real not null,
  node_tunnel text not null default 'vxlan', -- kind of its tunnels between nodes
  unique (slice_id, slot)
) strict;

-- A VN carries traffic on one instance at a time.
create unique index one_active_instance on instances (vn_id) where state = 'active';

create table instance_routers (
  instance_id integer not null references instances (id) on delete cascade,
  router text not null,
  node text not null,
  namespace text not null,
  moving_to text,                            -- the second node of a moving router, and its namespace there
  moving_namespace text,
  primary key (instance_id, router),
  check ((moving_to is null) = (moving_namespace is null))
) strict;

create table tunnels (
  id integer primary key,
  instance_id integer not null references instances (id) on delete cascade,
  ordinal integer not null,
  kind text not null,                        -- see model/tunnel.ts
  vni integer,
  unique (instance_id, ordinal)
) strict;

-- The two ends of a tunnel, with their addresses.
create table interfaces (
  tunnel_id integer not null references tunnels (id) on delete cascade,
  side text not null check (side in ('a', 'b')),
  node text not null,
  router text,                               -- null: the end of a gateway
  gateway text,
  name text not null,
  address text not null,
  mac text,                                  -- null: the tunnel kind has none
  primary key (tunnel_id, side),
  check ((router is null) <> (gateway is null))
) strict;

-- The forwarding entries that were last installed on, or read from, the routers of an instance.
create table routes (
  instance_id integer not null references instances (id) on delete cascade,
  router text not null,
  ordinal integer not null,
  prefix text not null,
  type text not null,
  nexthops text not null,                    -- JSON [{interface, via, weight}]
  metric integer,
  source text,
  protocol text not null,
  added integer not null default 0,          -- 1: not a route of the VN, but added by somebody and found on the router
  primary key (instance_id, router, added, ordinal)
) strict;

create table migrations (
  id integer primary key,
  slice text not null,
  vn text not null,
  from_placement text,                       -- names in the slice file; null: unnamed
  to_placement text,
  control text not null,
  schedule text not null,
  urpf text not null,
  state text not null,                       -- the current phase, or the phase where it failed; otherwise the outcome
  outcome text check (outcome in ('completed', 'rolled-back', 'failed')),
  started_at real not null,
  finished_at real,
  error text,
  -- What is needed to continue after an interruption.
  options text not null,                     -- JSON of all options
  urpf_before text not null,
  old_instance integer not null,
  new_instance integer,                      -- null until recorded
  armed_id text,                             -- the id of the armed redirections at the gateways
  drain_ms real,                             -- how long the old instance is kept after the redirections
  from_nodes text,                           -- JSON {router: node}: the placements; null in records of earlier versions
  to_nodes text,
  from_record text                           -- JSON [router]: cloned from the record, as the node was unreachable; null until cloned
) strict;

create table migration_phases (
  migration_id integer not null references migrations (id) on delete cascade,
  ordinal integer not null,
  name text not null,
  started_at real not null,
  finished_at real,
  primary key (migration_id, ordinal)
) strict;

create table redirections (
  migration_id integer not null references migrations (id) on delete cascade,
  ordinal integer not null,                  -- with redirection per remote gateway, a gateway has several
  gateway text not null,
  planned_at real not null,
  started_at real not null,
  finished_at real not null,
  lag_ms real not null,
  execution_ms real not null,
  clock_bound_ms real not null,
  primary key (migration_id, ordinal)
) strict;

-- Method vroom: the links of moving routers whose other ends now send to another node.
create table flips (
  migration_id integer not null references migrations (id) on delete cascade,
  ordinal integer not null,
  router text not null,
  neighbour text not null,                   -- the router or gateway at the other end
  to_node text not null,
  started_at real not null,
  finished_at real not null,
  primary key (migration_id, ordinal)
) strict;

create table flow_results (
  migration_id integer not null references migrations (id) on delete cascade,
  from_host text not null,
  to_host text not null,
  sent integer not null,
  received integer not null,
  lost integer not null,
  reordered integer not null,
  duplicated integer not null,
  max_gap_ms real not null,
  min_latency_ms real,                       -- end host to end host; null if nothing arrived
  max_latency_ms real,
  predicted_lost real,
  predicted_added_delay_ms real,
  receiver_dropped integer not null default 0, -- arrived at the receiving node, but its socket buffer was full
  primary key (migration_id, from_host, to_host)
) strict;

-- Which command works on a slice, or on one VN of it. A lock of a process that has ended does not count.
create table locks (
  id integer primary key autoincrement,
  slice text not null,
  vn text,                                   -- null: the whole slice
  command text not null,
  host text not null,
  boot text not null,                        -- id of the machine's boot
  pid integer not null,
  process_start text not null,               -- distinguishes a later process with the same pid
  at real not null
) strict;
create index locks_by_slice on locks (slice);

create table events (
  id integer primary key autoincrement,      -- never reused, because readers remember how far they have read
  at real not null,
  slice text,
  kind text not null,
  message text not null,
  detail text                                -- JSON
) strict;
create index events_by_slice on events (slice, at);

-- The last known health of a slice's nodes and of its VNs' routers, tunnels and paths.
create table health (
  slice text not null,
  vn text not null,                          -- '' for a node, which belongs to the slice
  kind text not null check (kind in ('node', 'router', 'tunnel', 'path')),
  name text not null,                        -- 'p1', 'a', 'a-b', 'ga-gb'
  state text not null check (state in ('unknown', 'up', 'suspect', 'down')),
  since real not null,
  cause text not null,                       -- why it is in this state, for people
  primary key (slice, vn, kind, name)
) strict;

-- The running service, at most one per database.
create table services (
  id integer primary key check (id = 1),
  host text not null,
  boot text not null,
  pid integer not null,
  process_start text not null,
  url text not null,                         -- of its HTTP API
  started_at real not null,
  seen_at real not null
) strict;

-- Migrations that the service starts.
create table jobs (
  id integer primary key autoincrement,
  name text not null unique,
  slice text not null,
  vn text not null,
  placements text not null,                  -- JSON [name]; with several, the next is the one after the current one
  cron text,                                 -- null: due once
  at real,
  timezone text not null,                    -- of the cron pattern, and of times that are shown
  options text not null,                     -- JSON of the migration's options, without the placement
  missed text not null check (missed in ('skip', 'once')),
  retries integer not null,
  retry_wait_ms real not null,               -- the wait before the first retry
  latest_start_ms real not null,             -- how long after its due time a run may still start
  state text not null check (state in ('active', 'paused', 'done')),
  reason text,                               -- why it is paused, or done without a run
  created_at real not null,
  checked_at real not null,                  -- all runs that were due until then are in job_runs
  retry_due_at real,                         -- the due time of the run to retry; null: none
  retry_attempt integer,
  retry_at real,
  router text,                               -- the only router to move, and placements are nodes; null: all routers
  check ((cron is null) <> (at is null))
) strict;

-- The runs of jobs: one row per attempt.
create table job_runs (
  id integer primary key autoincrement,
  job_id integer not null references jobs (id) on delete cascade,
  due_at real not null,
  attempt integer not null,                  -- from 1; 0: started by hand
  placement text,                            -- null until chosen
  started_at real,                           -- null: it did not start
  finished_at real,                          -- null while it is running
  outcome text check (outcome in ('completed', 'unchanged', 'rolled-back', 'failed', 'skipped', 'missed')),
  migration_id integer,
  message text,
  host text,                                 -- the process that runs it, as in locks
  boot text,
  pid integer,
  process_start text
) strict;
create unique index job_runs_once on job_runs (job_id, due_at, attempt) where attempt > 0;
create index job_runs_under_way on job_runs (job_id) where finished_at is null;
