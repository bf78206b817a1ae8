import { isDeepStrictEqual } from 'node:util';
import { formatPrefix, parsePrefix } from '../model/address.ts';
import type { Routing } from '../model/daemon.ts';
import { VnmError } from '../model/errors.ts';
import type { NodeName, RouterName } from '../model/names.ts';
import { isRouterKind, type Router } from '../model/router.ts';
import type { LatencyMap, Slice, SubstrateNode, VirtualNetwork } from '../model/slice.ts';
import type { SshWay } from '../model/ssh-way.ts';
import type { Db } from './db.ts';

/** The slices as the user defined them: substrate, VNs and placements. */
export interface SliceStore {
  names(): string[];
  /** The slice with this name, or undefined. */
  find(name: string): Slice | undefined;
  /**
   * Saves a slice over an earlier version. Throws VnmError `conflict` if the change would contradict what is installed:
   * only latencies, patience, how SSH reaches a node (`ssh`), NTP servers, MTUs, repair, flows and placements may
   * change while a VN is installed.
   */
  save(slice: Slice): void;
  remove(name: string): void;
  /**
   * The slice's key for tunnels of the userspace data plane, hexadecimal. Throws VnmError `not-found` for a slice that
   * is not saved.
   */
  tunnelKey(name: string): string;
}

export function sliceStore(db: Db): SliceStore {
  return {
    names: () => db.prepare<[], string>('select name from slices order by name').pluck().all(),
    find: (name) => {
      const slice = loadSlice(db, name);
      return slice === undefined ? undefined : withTestbedPlane(db, slice);
    },
    save: db.transaction((slice: Slice) => {
      const old = loadSlice(db, slice.name);
      if (old !== undefined && isDeepStrictEqual(old, slice)) return;
      if (old !== undefined) refuseContradiction(db, old, slice);
      saveSlice(db, slice);
    }),
    remove: (name) => {
      db.prepare('delete from slices where name = ?').run(name);
    },
    tunnelKey: (name) => {
      const key = db.prepare<[string], string>('select tunnel_key from slices where name = ?').pluck().get(name);
      if (key !== undefined) return key;
      throw new VnmError('not-found', `there is no slice '${name}' in the database`);
    },
  };
}

/** Refuses changes to the parts of a slice that its installed VNs were made from. */
function refuseContradiction(db: Db, old: Slice, slice: Slice): void {
  const installed = db
    .prepare<[string], string>(
      'select distinct v.name from instances i join vns v on v.id = i.vn_id join slices s on s.id = i.slice_id where s.name = ?',
    )
    .pluck()
    .all(slice.name);
  if (installed.length === 0) return;
  const carrying = new Set(
    db
      .prepare<[string, string], NodeName>(
        `select r.node from instance_routers r join instances i on i.id = r.instance_id join slices s on s.id = i.slice_id
         where s.name = ?
         union select r.moving_to from instance_routers r join instances i on i.id = r.instance_id
         join slices s on s.id = i.slice_id where s.name = ? and r.moving_to is not null`,
      )
      .pluck()
      .all(slice.name, slice.name),
  );
  const shape = ({ number, vnet, vns, nodes }: Slice) => ({
    number,
    vnet,
    nodes: [...nodes.values()]
      .filter(({ name }) => used(old, name) || carrying.has(name))
      .map(({ patience: _, ssh: __, ...node }) => node),
    vns: vns.map(({ name, routers, links, gateways, endHosts, routing }) => {
      return { name, routers, links, gateways, endHosts, routing };
    }),
  });
  const before = shape(old);
  const after = shape(slice);
  for (const part of ['number', 'vnet', 'nodes', 'vns'] as const) {
    if (isDeepStrictEqual(before[part], after[part])) continue;
    const what = part === 'nodes' ? 'the substrate nodes' : part === 'vns' ? 'the VNs' : `'${part}'`;
    throw new VnmError(
      'conflict',
      `slice '${slice.name}': ${what} changed while VN '${installed.join("', '")}' is installed`,
      {
        hint: `uninstall the slice first (pl-vnm uninstall ${slice.name}), or undo the change in the slice file`,
      },
    );
  }
}

function used(slice: Slice, node: NodeName): boolean {
  return slice.vns.some(
    (vn) =>
      [...vn.gateways, ...vn.endHosts].some((place) => place.node === node) ||
      [...vn.placements.values()].some((placement) => [...placement.values()].includes(node)),
  );
}

function saveSlice(db: Db, slice: Slice): void {
  const id = db
    .prepare<unknown[], number>(
      `insert into slices (name, number, vnet, latency_default_ms, repair) values (?, ?, ?, ?, ?)
       on conflict (name) do update set number = excluded.number, vnet = excluded.vnet,
         latency_default_ms = excluded.latency_default_ms, repair = excluded.repair returning id`,
    )
    .pluck()
    .get(slice.name, slice.number, formatPrefix(slice.vnet), slice.latency.defaultMs, slice.repair ? 1 : 0)!;
  saveSubstrate(db, id, slice);
  saveNtpServers(db, id, slice);
  // VN rows keep their ids, because instances refer to them.
  const kept = slice.vns.map((vn) => vn.name);
  for (const name of db.prepare<[number], string>('select name from vns where slice_id = ?').pluck().all(id)) {
    if (!kept.includes(name)) db.prepare('delete from vns where slice_id = ? and name = ?').run(id, name);
  }
  slice.vns.forEach((vn, ordinal) => {
    saveVn(db, id, vn, ordinal);
  });
}

function saveSubstrate(db: Db, slice: number, { nodes, latency }: Slice): void {
  // First, because there is no index of where they lead, which each node that is deleted would need.
  db.prepare('delete from substrate_latencies where slice_id = ?').run(slice);
  db.prepare('delete from substrate_nodes where slice_id = ?').run(slice);
  const insertNode = db.prepare(
    `insert into substrate_nodes (slice_id, name, host, port, user, key_path, address, patience_s, dataplane, ssh)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const { name, host, port, user, key, address, patience, dataplane, ssh } of nodes.values()) {
    const way = ssh === undefined ? undefined : JSON.stringify(ssh);
    const login = [host, port, user, key, address, patience, dataplane, way].map((value) => value ?? null);
    insertNode.run(slice, name, ...login);
  }
  const insertLatency = db.prepare(
    'insert into substrate_latencies (slice_id, from_node, to_node, ms) values (?, ?, ?, ?)',
  );
  for (const [from, row] of latency.linksMs) for (const [to, ms] of row) insertLatency.run(slice, from, to, ms);
}

function saveNtpServers(db: Db, slice: number, { ntp }: Slice): void {
  db.prepare('delete from slice_ntp_servers where slice_id = ?').run(slice);
  const insert = db.prepare('insert into slice_ntp_servers (slice_id, ordinal, server) values (?, ?, ?)');
  ntp.forEach((server, ordinal) => {
    insert.run(slice, ordinal, server);
  });
}

function saveVn(db: Db, slice: number, vn: VirtualNetwork, ordinal: number): void {
  const id = db
    .prepare<unknown[], number>(
      `insert into vns (slice_id, name, ordinal, wanted_mtu, routing) values (?, ?, ?, ?, ?)
       on conflict (slice_id, name) do update set ordinal = excluded.ordinal, wanted_mtu = excluded.wanted_mtu,
         routing = excluded.routing returning id`,
    )
    .pluck()
    .get(slice, vn.name, ordinal, vn.mtu ?? null, vn.routing === undefined ? null : JSON.stringify(vn.routing))!;
  for (const table of [
    'flows',
    'forwards',
    'end_hosts',
    'gateways',
    'virtual_links',
    'virtual_routers',
    'placements',
  ]) {
    db.prepare(`delete from ${table} where vn_id = ?`).run(id);
  }
  const insertAll = (sql: string, rows: readonly (readonly unknown[])[]) => {
    const statement = db.prepare(sql);
    rows.forEach((row, index) => {
      statement.run(id, index, ...row);
    });
  };
  insertAll(
    'insert into virtual_routers (vn_id, ordinal, name, kind, config) values (?, ?, ?, ?, ?)',
    vn.routers.map(({ name, kind, config }) => [name, kind, JSON.stringify(config)]),
  );
  insertAll(
    'insert into virtual_links (vn_id, ordinal, from_router, to_router, cost) values (?, ?, ?, ?, ?)',
    vn.links.map((link) => [link.from, link.to, link.cost]),
  );
  insertAll(
    'insert into gateways (vn_id, ordinal, name, node, router) values (?, ?, ?, ?, ?)',
    vn.gateways.map((gateway) => [gateway.name, gateway.node, gateway.router]),
  );
  insertAll(
    'insert into end_hosts (vn_id, ordinal, name, node, gateway) values (?, ?, ?, ?, ?)',
    vn.endHosts.map((endHost) => [endHost.name, endHost.node, endHost.gateway]),
  );
  insertAll(
    'insert into forwards (vn_id, ordinal, from_host, port, to_host, to_port) values (?, ?, ?, ?, ?, ?)',
    vn.endHosts.flatMap(({ name, forwards = [] }) => forwards.map(({ port, to, toPort }) => [name, port, to, toPort])),
  );
  insertAll(
    'insert into flows (vn_id, ordinal, from_host, to_host, rate_bps, priority, payload_bytes) values (?, ?, ?, ?, ?, ?, ?)',
    vn.flows.map((flow) => [flow.from, flow.to, flow.rateBps, flow.priority, flow.payloadBytes ?? null]),
  );
  savePlacements(db, id, vn);
}

function savePlacements(db: Db, vn: number, { placements }: VirtualNetwork): void {
  const insert = db
    .prepare<unknown[], number>('insert into placements (vn_id, name, ordinal) values (?, ?, ?) returning id')
    .pluck();
  const insertRouter = db.prepare(
    'insert into placement_routers (placement_id, router, node, ordinal) values (?, ?, ?, ?)',
  );
  [...placements].forEach(([name, placement], ordinal) => {
    const id = insert.get(vn, name, ordinal)!;
    [...placement].forEach(([router, node], index) => {
      insertRouter.run(id, router, node, index);
    });
  });
}

function loadSlice(db: Db, name: string): Slice | undefined {
  const row = db
    .prepare<[string], { id: number; number: number; vnet: string; latency_default_ms: number; repair: number }>(
      'select id, number, vnet, latency_default_ms, repair from slices where name = ?',
    )
    .get(name);
  if (row === undefined) return undefined;
  return {
    name,
    number: row.number,
    vnet: parsePrefix(row.vnet),
    nodes: loadNodes(db, row.id),
    latency: loadLatency(db, row.id, row.latency_default_ms),
    ntp: db
      .prepare<[number], string>('select server from slice_ntp_servers where slice_id = ? order by ordinal')
      .pluck()
      .all(row.id),
    repair: row.repair === 1,
    vns: db
      .prepare<[number], VnRow>(
        'select id, name, wanted_mtu as mtu, routing from vns where slice_id = ? order by ordinal',
      )
      .all(row.id)
      .map((vn) => loadVn(db, vn)),
  };
}

interface VnRow {
  id: number;
  name: string;
  mtu: number | null;
  routing: string | null;
}

interface NodeRow {
  name: string;
  host: string | null;
  port: number | null;
  user: string | null;
  key: string | null;
  address: string | null;
  patience: number | null;
  dataplane: string | null;
  ssh: string | null;
}

function loadNodes(db: Db, slice: number): Map<string, SubstrateNode> {
  const rows = db
    .prepare<[number], NodeRow>(
      `select name, host, port, user, key_path as key, address, patience_s as patience, dataplane, ssh
       from substrate_nodes where slice_id = ? order by id`,
    )
    .all(slice);
  return new Map(
    rows.map(({ ssh, ...row }) => {
      const way = ssh === null ? {} : { ssh: JSON.parse(ssh) as SshWay };
      return [row.name, { ...(withoutNulls(row) as SubstrateNode), ...way }];
    }),
  );
}

/** Gives nodes without a host the data plane of the local testbed that they are on. */
function withTestbedPlane(db: Db, slice: Slice): Slice {
  const dataplane = db
    .prepare<[string], string | null>(
      `select json_extract(t.record, '$.dataplane') from testbeds t join slices s on s.testbed_id = t.id where s.name = ?`,
    )
    .pluck()
    .get(slice.name);
  if (dataplane !== 'userspace') return slice;
  const nodes = [...slice.nodes].map(([name, node]) => {
    return [name, node.host === undefined ? { ...node, dataplane: 'userspace' as const } : node] as const;
  });
  return { ...slice, nodes: new Map(nodes) };
}

function loadLatency(db: Db, slice: number, defaultMs: number): LatencyMap {
  const linksMs = new Map<string, Map<string, number>>();
  const rows = db
    .prepare<[number], { from_node: string; to_node: string; ms: number }>(
      'select from_node, to_node, ms from substrate_latencies where slice_id = ?',
    )
    .all(slice);
  for (const { from_node, to_node, ms } of rows) {
    const row = linksMs.get(from_node) ?? new Map<string, number>();
    linksMs.set(from_node, row.set(to_node, ms));
  }
  return { defaultMs, linksMs };
}

function loadVn(db: Db, { id, name, mtu, routing }: VnRow): VirtualNetwork {
  const all = <T>(sql: string) => db.prepare<[number], T>(sql).all(id);
  return {
    name,
    routers: all<RouterRow>('select name, kind, config from virtual_routers where vn_id = ? order by ordinal').map(
      loadRouter,
    ),
    links: all(
      'select from_router as "from", to_router as "to", cost from virtual_links where vn_id = ? order by ordinal',
    ),
    gateways: all('select name, node, router from gateways where vn_id = ? order by ordinal'),
    endHosts: loadEndHosts(db, id),
    flows: all<Record<string, unknown>>(
      `select from_host as "from", to_host as "to", rate_bps as rateBps, priority, payload_bytes as payloadBytes
       from flows where vn_id = ? order by ordinal`,
    ).map((row) => withoutNulls(row)) as unknown as VirtualNetwork['flows'],
    placements: new Map(
      all<{ id: number; name: string }>('select id, name from placements where vn_id = ? order by ordinal').map(
        (placement) => [
          placement.name,
          new Map(
            db
              .prepare<[number], { router: RouterName; node: NodeName }>(
                'select router, node from placement_routers where placement_id = ? order by ordinal',
              )
              .all(placement.id)
              .map(({ router, node }) => [router, node]),
          ),
        ],
      ),
    ),
    ...(mtu === null ? {} : { mtu }),
    ...(routing === null ? {} : { routing: JSON.parse(routing) as Routing }),
  };
}

function loadEndHosts(db: Db, vn: number): VirtualNetwork['endHosts'] {
  const forwards = db
    .prepare<[number], { from: string; port: number; to: string; toPort: number }>(
      `select from_host as "from", port, to_host as "to", to_port as toPort from forwards where vn_id = ? order by ordinal`,
    )
    .all(vn);
  const byHost = Map.groupBy(forwards, ({ from }) => from);
  return db
    .prepare<[number], { name: string; node: string; gateway: string }>(
      'select name, node, gateway from end_hosts where vn_id = ? order by ordinal',
    )
    .all(vn)
    .map((endHost) => {
      const own = byHost.get(endHost.name);
      return own === undefined ? endHost : { ...endHost, forwards: own.map(({ from: _, ...forward }) => forward) };
    });
}

interface RouterRow {
  name: string;
  kind: string;
  config: string;
}

/** Loads a router. Throws VnmError `failed` for a kind of another version of this program. */
function loadRouter({ name, kind, config }: RouterRow): Router {
  if (isRouterKind(kind)) return { name, kind, config: JSON.parse(config) as object } as Router;
  throw new VnmError(
    'failed',
    `router '${name}' in the database is of kind '${kind}', which this version does not support`,
    {
      hint: 'use the program version that created it',
    },
  );
}

/** Drops keys with SQL's null, which the model represents by absent keys. */
function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
