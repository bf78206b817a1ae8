import { formatPrefix } from '../model/address.ts';
import type { Slice } from '../model/slice.ts';
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
  /** When the service that watches last said that it lives (Unix ms); null: there is none. */
  readonly watchedAt: number | null;
  readonly health: HealthRecord[];
}

export interface VnStatus {
  readonly vn: string;
  /** Name of the placement that carries the traffic; null when the VN is not installed. */
  readonly placement: string | null;
  readonly mtu: number | null;
  readonly urpf: string | null;
  readonly placements: string[];
  readonly instances: InstanceStatus[];
}

export interface InstanceStatus {
  readonly placement: string;
  readonly state: string;
  readonly slot: number;
  readonly block: string;
  readonly routers: { router: string; node: string; namespace: string; routes: number }[];
  readonly tunnels: { a: string; b: string; kind: 'vxlan' | 'local'; vni: number; addresses: [string, string] }[];
}

/** What the database says is installed where. */
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
        instances: instancesOf(store, slice.name, vn.name),
      };
    }),
    migrations: store.migrations.list(slice.name, 10),
    events: store.events.list(slice.name, 10),
    watchedAt: store.health.service()?.seenAt ?? null,
    health: store.health.list(slice.name),
  };
}

function instancesOf(store: Store, slice: string, vn: string): InstanceStatus[] {
  return store.instances.list({ slice, vn }).map(({ id, placementName, state, slot }) => {
    const plan = store.instances.plan(id);
    const namespaces = store.instances.namespaces(id);
    const routes = store.instances.routes(id);
    const name = (end: { router?: string; gateway?: string; node: string }) =>
      `${end.router ?? end.gateway}@${end.node}`;
    return {
      placement: placementName,
      state,
      slot,
      block: plan.block,
      routers: [...plan.placement].map(([router, node]) => ({
        router,
        node,
        namespace: namespaces.get(router)!,
        routes: routes.get(router)?.length ?? 0,
      })),
      tunnels: plan.links.map(({ a, b, vni }) => ({
        a: name(a),
        b: name(b),
        kind: a.node === b.node ? 'local' : 'vxlan',
        vni,
        addresses: [a.address, b.address],
      })),
    };
  });
}
