import { formatPrefix } from '../model/address.ts';
import type { GatewayName, NamespaceName, NodeName, RouterName } from '../model/names.ts';
import type { RouterKind } from '../model/router.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import type { TunnelKind } from '../model/tunnel.ts';
import type { StoredEvent } from '../store/events.ts';
import type { HealthRecord } from '../store/health.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Store } from '../store/store.ts';

export interface SliceStatus {
  readonly slice: string;
  readonly vnet: string;
  readonly testbed: string | null;
  readonly vns: VnStatus[];
  readonly migrations: MigrationRecord[];
  readonly events: StoredEvent[];
  /** When the monitoring service last reported that it is running (Unix ms); null: there is none. */
  readonly watchedAt: number | null;
  readonly health: HealthRecord[];
}

export interface VnStatus {
  readonly vn: string;
  /** Name of the placement that carries the traffic; null: the VN is not installed, or its placement has no name. */
  readonly placement: string | null;
  readonly mtu: number | null;
  readonly urpf: string | null;
  readonly placements: string[];
  readonly instances: InstanceStatus[];
}

export interface InstanceStatus {
  /** Null: its placement has no name; see `routers` for their nodes. */
  readonly placement: string | null;
  readonly state: string;
  readonly slot: number;
  readonly block: string;
  readonly routers: RouterStatus[];
  readonly tunnels: { a: string; b: string; kind: TunnelKind; vni: number; addresses: [string, string] }[];
}

interface RouterStatus {
  readonly router: RouterName;
  readonly kind: RouterKind;
  readonly node: NodeName;
  readonly namespace: NamespaceName;
  readonly routes: number;
  /** The second node of a router that is moving. */
  readonly movingTo?: NodeName;
}

/** What is installed where, according to the database. */
export function sliceStatus(store: Store, slice: Slice): SliceStatus {
  return {
    slice: slice.name,
    vnet: formatPrefix(slice.vnet),
    testbed: store.testbeds.forSlice(slice.name)?.id ?? null,
    vns: slice.vns.map((vn) => {
      const settings = store.instances.settings(slice.name, vn.name);
      return {
        vn: vn.name,
        placement: store.instances.active(slice.name, vn.name)?.placementName ?? null,
        mtu: settings?.mtu ?? null,
        urpf: settings?.urpf ?? null,
        placements: [...vn.placements.keys()],
        instances: instancesOf(store, slice.name, vn),
      };
    }),
    migrations: store.migrations.list(slice.name, 10),
    // Only the begin and the end of a migration: its phases would push out everything else.
    events: store.events
      .list(slice.name, 200)
      .filter(({ kind }) => kind !== 'migration-phase')
      .slice(0, 10),
    watchedAt: store.health.service()?.seenAt ?? null,
    health: store.health.list(slice.name),
  };
}

function instancesOf(store: Store, slice: string, vn: VirtualNetwork): InstanceStatus[] {
  const kinds = new Map(vn.routers.map(({ name, kind }) => [name, kind]));
  return store.instances.list({ slice, vn: vn.name }).map(({ id, placementName, state, slot }) => {
    const plan = store.instances.plan(id);
    const namespaces = store.instances.namespaces(id);
    const routes = store.instances.routes(id);
    const name = (end: { router?: RouterName; gateway?: GatewayName; node: NodeName }) =>
      `${end.router ?? end.gateway}@${end.node}`;
    return {
      placement: placementName,
      state,
      slot,
      block: plan.block,
      routers: [...plan.placement].map(([router, node]) => ({
        router,
        kind: kinds.get(router)!,
        node,
        namespace: namespaces.get(router)!,
        routes: routes.get(router)?.length ?? 0,
        ...(plan.moving?.has(router) === true ? { movingTo: plan.moving.get(router)! } : {}),
      })),
      tunnels: plan.links.map(({ a, b, tunnel, vni }) => ({
        a: name(a),
        b: name(b),
        kind: tunnel,
        vni,
        addresses: [a.address, b.address],
      })),
    };
  });
}
