import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../model/errors.ts';
import type { GatewayName, NamespaceName, NodeName, RouterName } from '../model/names.ts';
import type { Route, RouteNexthop, UrpfMode } from '../model/route.ts';
import { isTunnelKind, type NodeTunnelKind, type TunnelKind } from '../model/tunnel.ts';
import { type Instance, type InstanceLink, type LinkEnd, moveRouter } from '../planning/instance.ts';
import type { Db } from './db.ts';

type InstanceState = 'installing' | 'active' | 'joining' | 'draining' | 'removing';

/** A recorded instance, without its plan. */
export interface InstanceRecord {
  readonly id: number;
  readonly slice: string;
  readonly vn: string;
  /** The name in the slice file; null: the placement has no name, because a router has moved. */
  readonly placementName: string | null;
  readonly slot: number;
  readonly state: InstanceState;
  readonly createdAt: number;
}

/** The instances that are, or may be, on the nodes. */
export interface InstanceStore {
  list(filter?: { slice?: string; vn?: string }): InstanceRecord[];
  /** The instance that carries the VN's traffic. */
  active(slice: string, vn: string): InstanceRecord | undefined;
  /**
   * Records an instance before it is created, in the lowest free slot of `slots`. Throws `conflict` if none is free.
   */
  add(
    slice: string,
    vn: string,
    placementName: string | null,
    slots: number,
    plan: (slot: number) => Instance,
    namespaces: (instance: Instance) => ReadonlyMap<RouterName, NamespaceName>,
  ): { record: InstanceRecord; instance: Instance };
  /** The plan of a recorded instance, including the moves of its routers. */
  plan(id: number): Instance;
  namespaces(id: number): Map<RouterName, NamespaceName>;
  /**
   * Records that a router is being set up on a second node. Throws VnmError `conflict` if it is already moving or on
   * that node, `not-found` for a router that the instance does not have.
   */
  beginMove(id: number, router: RouterName, to: { readonly node: NodeName; readonly namespace: NamespaceName }): void;
  /** Records that the router is now only on the node it moved to. `placementName` is the name of the new placement. */
  endMove(id: number, router: RouterName, placementName: string | null): void;
  /** Records that the router stays on its node, and that the second node has nothing of it. */
  cancelMove(id: number, router: RouterName): void;
  setState(id: number, state: InstanceState): void;
  /** Makes `id` the active instance and `old` the draining one, in one step. */
  activate(id: number, old?: number): void;
  /** Removes the record of an instance that is on no node any more. */
  remove(id: number): void;
  saveRoutes(id: number, routes: ReadonlyMap<RouterName, readonly Route[]>): void;
  routes(id: number): Map<RouterName, Route[]>;
  /**
   * Records the routes that somebody added to a router. They are not part of the wanted state, but a migration clones
   * them too, even if the router's node is dead. Does nothing for an instance that no longer exists.
   */
  saveAddedRoutes(id: number, router: RouterName, added: readonly Route[]): void;
  addedRoutes(id: number): Map<RouterName, Route[]>;
  settings(slice: string, vn: string): { mtu: number; urpf: UrpfMode } | undefined;
  setSettings(slice: string, vn: string, settings: { mtu: number; urpf: UrpfMode } | undefined): void;
}

const select = `select i.id, s.name as slice, v.name as vn, i.placement as placementName, i.slot, i.state, i.created_at as createdAt
  from instances i join vns v on v.id = i.vn_id join slices s on s.id = i.slice_id`;

export function instanceStore(db: Db): InstanceStore {
  const one = (id: number) => db.prepare<[number], InstanceRecord>(`${select} where i.id = ?`).get(id)!;
  const vnRow = (slice: string, vn: string) => {
    const row = db
      .prepare<[string, string], { vn: number; slice: number }>(
        'select v.id as vn, s.id as slice from vns v join slices s on s.id = v.slice_id where s.name = ? and v.name = ?',
      )
      .get(slice, vn);
    if (row === undefined) throw new VnmError('not-found', `slice '${slice}' has no VN '${vn}' in the database`);
    return row;
  };
  return {
    list: ({ slice, vn } = {}) =>
      db
        .prepare<unknown[], InstanceRecord>(
          `${select} where (? is null or s.name = ?) and (? is null or v.name = ?) order by s.name, v.ordinal, i.id`,
        )
        .all(slice ?? null, slice ?? null, vn ?? null, vn ?? null),
    active: (slice, vn) =>
      db
        .prepare<[string, string], InstanceRecord>(`${select} where s.name = ? and v.name = ? and i.state = 'active'`)
        .get(slice, vn),
    add: (slice, vn, placementName, slots, plan, namespaces) =>
      db
        .transaction(() => {
          const row = vnRow(slice, vn);
          const slot = freeSlot(db, slice, row.slice, slots);
          const instance = plan(slot);
          const id = db
            .prepare<unknown[], number>(
              `insert into instances (vn_id, slice_id, placement, slot, block, node_tunnel, state, created_at)
               values (?, ?, ?, ?, ?, ?, 'installing', ?) returning id`,
            )
            .pluck()
            .get(row.vn, row.slice, placementName, slot, instance.block, instance.nodeTunnel, Date.now())!;
          savePlan(db, id, instance, namespaces(instance));
          return { record: one(id), instance };
        })
        .immediate(),
    plan: (id) => loadPlan(db, one(id)),
    namespaces: (id) =>
      new Map(
        db
          .prepare<[number], { router: RouterName; namespace: NamespaceName }>(
            'select router, namespace from instance_routers where instance_id = ?',
          )
          .all(id)
          .map(({ router, namespace }) => [router, namespace]),
      ),
    beginMove: (id, router, { node, namespace }) => {
      db.transaction(() => {
        const { placement, moving } = loadPlan(db, one(id));
        if (!placement.has(router)) throw new VnmError('not-found', `there is no router '${router}'`);
        if (moving?.has(router)) throw new VnmError('conflict', `router '${router}' is already moving`);
        if (placement.get(router) === node) {
          throw new VnmError('conflict', `router '${router}' is already on node '${node}'`);
        }
        db.prepare(
          'update instance_routers set moving_to = ?, moving_namespace = ? where instance_id = ? and router = ?',
        ).run(node, namespace, id, router);
      }).immediate();
    },
    endMove: (id, router, placementName) => {
      db.transaction(() => saveMove(db, id, loadPlan(db, one(id)), router, placementName)).immediate();
    },
    cancelMove: (id, router) => {
      const { changes } = db
        .prepare(
          `update instance_routers set moving_to = null, moving_namespace = null
           where instance_id = ? and router = ? and moving_to is not null`,
        )
        .run(id, router);
      if (changes === 0) throw new VnmError('conflict', `router '${router}' is not moving`);
    },
    setState: (id, state) => {
      db.prepare('update instances set state = ? where id = ?').run(state, id);
    },
    activate: db.transaction((id: number, old?: number) => {
      if (old !== undefined) db.prepare("update instances set state = 'draining' where id = ?").run(old);
      db.prepare("update instances set state = 'active' where id = ?").run(id);
    }),
    remove: (id) => {
      db.prepare('delete from instances where id = ?').run(id);
    },
    saveRoutes: db.transaction((id: number, routes: ReadonlyMap<RouterName, readonly Route[]>) => {
      db.prepare('delete from routes where instance_id = ? and added = 0').run(id);
      for (const [router, entries] of routes) insertRoutes(db, id, router, entries, 'own');
    }),
    routes: (id) => loadRoutes(db, id, 'own'),
    saveAddedRoutes: (id, router, added) => {
      // Called often, but the routes seldom change.
      if (isDeepStrictEqual(loadRoutes(db, id, 'added', router).get(router) ?? [], added)) return;
      db.transaction(() => {
        if (db.prepare('select 1 from instances where id = ?').get(id) === undefined) return;
        db.prepare('delete from routes where instance_id = ? and router = ? and added = 1').run(id, router);
        insertRoutes(db, id, router, added, 'added');
      }).immediate();
    },
    addedRoutes: (id) => loadRoutes(db, id, 'added'),
    settings: (slice, vn) => {
      const row = db
        .prepare<[number], { mtu: number | null; urpf: UrpfMode | null }>('select mtu, urpf from vns where id = ?')
        .get(vnRow(slice, vn).vn)!;
      return row.mtu === null || row.urpf === null ? undefined : { mtu: row.mtu, urpf: row.urpf };
    },
    setSettings: (slice, vn, settings) => {
      db.prepare('update vns set mtu = ?, urpf = ? where id = ?').run(
        settings?.mtu ?? null,
        settings?.urpf ?? null,
        vnRow(slice, vn).vn,
      );
    },
  };
}

function freeSlot(db: Db, sliceName: string, slice: number, slots: number): number {
  const taken = new Set(
    db.prepare<[number], number>('select slot from instances where slice_id = ?').pluck().all(slice),
  );
  for (let slot = 0; slot < slots; slot += 1) if (!taken.has(slot)) return slot;
  throw new VnmError('conflict', `slice '${sliceName}' has no room for another instance: all ${slots} are in use`, {
    hint: "run 'pl-vnm status' to find an interrupted migration and resume or undo it, or give the slice a larger vnet",
  });
}

function savePlan(db: Db, id: number, instance: Instance, namespaces: ReadonlyMap<RouterName, NamespaceName>): void {
  const insertRouter = db.prepare(
    'insert into instance_routers (instance_id, router, node, namespace) values (?, ?, ?, ?)',
  );
  for (const [router, namespace] of namespaces) insertRouter.run(id, router, instance.placement.get(router), namespace);
  const insertTunnel = db
    .prepare<unknown[], number>(
      'insert into tunnels (instance_id, ordinal, kind, vni) values (?, ?, ?, ?) returning id',
    )
    .pluck();
  const insertEnd = db.prepare(
    `insert into interfaces (tunnel_id, side, node, router, gateway, name, address, mac) values (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  instance.links.forEach((link, ordinal) => {
    const tunnel = insertTunnel.get(id, ordinal, link.tunnel, link.vni)!;
    for (const side of ['a', 'b'] as const) {
      const { node, router, gateway, interface: name, address, mac } = link[side];
      insertEnd.run(tunnel, side, node, router ?? null, gateway ?? null, name, address, mac ?? null);
    }
  });
}

function saveMove(db: Db, id: number, instance: Instance, router: RouterName, placementName: string | null): void {
  const node = instance.moving?.get(router);
  if (node === undefined) throw new VnmError('conflict', `router '${router}' is not moving`);
  db.prepare(
    `update instance_routers set node = moving_to, namespace = moving_namespace, moving_to = null, moving_namespace = null
     where instance_id = ? and router = ?`,
  ).run(id, router);
  const setTunnel = db
    .prepare<unknown[], number>('update tunnels set kind = ? where instance_id = ? and ordinal = ? returning id')
    .pluck();
  const setEnd = db.prepare('update interfaces set node = ?, mac = ? where tunnel_id = ? and side = ?');
  moveRouter(instance, router, node).links.forEach((link, ordinal) => {
    const tunnel = setTunnel.get(link.tunnel, id, ordinal)!;
    for (const side of ['a', 'b'] as const) {
      const { node: at, mac = null } = link[side];
      setEnd.run(at, mac, tunnel, side);
    }
  });
  db.prepare('update instances set placement = ? where id = ?').run(placementName, id);
}

interface EndRow {
  ordinal: number;
  kind: string;
  vni: number;
  side: 'a' | 'b';
  node: NodeName;
  router: RouterName | null;
  gateway: GatewayName | null;
  name: string;
  address: string;
  mac: string | null;
}

function loadPlan(db: Db, { id, slice, vn, slot }: InstanceRecord): Instance {
  const routers = db
    .prepare<[number], { router: RouterName; node: NodeName; movingTo: NodeName | null }>(
      'select router, node, moving_to as movingTo from instance_routers where instance_id = ?',
    )
    .all(id);
  const moving = routers.flatMap(({ router, movingTo }) => (movingTo === null ? [] : [[router, movingTo] as const]));
  const ends = db
    .prepare<[number], EndRow>(
      `select t.ordinal, t.kind, t.vni, i.* from tunnels t join interfaces i on i.tunnel_id = t.id where t.instance_id = ?
       order by t.ordinal, i.side`,
    )
    .all(id);
  const links: InstanceLink[] = [];
  for (let index = 0; index + 1 < ends.length; index += 2) {
    const a = ends[index]!;
    const kind = a.gateway === null ? 'virtual' : 'gateway';
    links.push({ kind, tunnel: tunnelKind(a.kind), vni: a.vni, a: linkEnd(a), b: linkEnd(ends[index + 1]!) });
  }
  const { block, nodeTunnel } = db
    .prepare<[number], { block: string; nodeTunnel: string }>(
      'select block, node_tunnel as nodeTunnel from instances where id = ?',
    )
    .get(id)!;
  return {
    slice,
    vn,
    slot,
    block,
    placement: new Map(routers.map(({ router, node }) => [router, node])),
    ...(moving.length === 0 ? {} : { moving: new Map(moving) }),
    nodeTunnel: tunnelKind(nodeTunnel) as NodeTunnelKind,
    links,
  };
}

function linkEnd({ node, router, gateway, name, address, mac }: EndRow): LinkEnd {
  return {
    node,
    ...(router === null ? {} : { router }),
    ...(gateway === null ? {} : { gateway }),
    interface: name,
    address,
    ...(mac === null ? {} : { mac }),
  };
}

/** Parses a tunnel kind. Throws VnmError `failed` for a kind of another version of this program. */
function tunnelKind(text: string): TunnelKind {
  if (isTunnelKind(text)) return text;
  throw new VnmError('failed', `the database has a tunnel of kind '${text}', which this version does not support`, {
    hint: 'use the program version that created it',
  });
}

/** `own`: a route of the VN. `added`: a route that somebody added. */
type RouteKind = 'own' | 'added';

function insertRoutes(db: Db, id: number, router: RouterName, routes: readonly Route[], kind: RouteKind): void {
  const insert = db.prepare(
    `insert into routes (instance_id, router, ordinal, prefix, type, nexthops, metric, source, protocol, added)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  routes.forEach(({ prefix, type, nexthops, metric, source, protocol }, index) => {
    const hops = JSON.stringify(nexthops);
    const added = kind === 'added' ? 1 : 0;
    insert.run(id, router, index, prefix, type, hops, metric ?? null, source ?? null, protocol, added);
  });
}

/** `only`: one router; else all. */
function loadRoutes(db: Db, id: number, kind: RouteKind, only?: RouterName): Map<RouterName, Route[]> {
  const rows = db
    .prepare<
      [number, number, string | null, string | null],
      Omit<Route, 'nexthops'> & { router: RouterName; nexthops: string; metric: number | null; source: string | null }
    >(
      `select router, prefix, type, nexthops, metric, source, protocol from routes
       where instance_id = ? and added = ? and (? is null or router = ?) order by router, ordinal`,
    )
    .all(id, kind === 'added' ? 1 : 0, only ?? null, only ?? null);
  const routes = new Map<RouterName, Route[]>();
  for (const { router, nexthops, metric, source, prefix, type, protocol } of rows) {
    const list = routes.get(router) ?? [];
    list.push({
      prefix,
      type,
      protocol,
      nexthops: JSON.parse(nexthops) as RouteNexthop[],
      ...(metric === null ? {} : { metric }),
      ...(source === null ? {} : { source }),
    });
    routes.set(router, list);
  }
  return routes;
}
