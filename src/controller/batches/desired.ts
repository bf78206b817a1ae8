/** What must be on the nodes according to the database. */
import type { Slice } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { RoutingState } from '../../planning/routes.ts';
import { planVn } from '../../planning/vn-plan.ts';
import type { Store } from '../../store/store.ts';
import { setUpAccess } from './access.ts';
import { type Batches, type Layout, mergeBatches } from './batches.ts';
import { joinGateways, peerRoutes, setGroups } from './gateways.ts';
import { installRoutes, setUpRouters, setUpSecondPlaces } from './routers.ts';

/** What must be, or may be, on the nodes of a VN. */
export interface Desired {
  /** One, except during a migration. */
  readonly instances: readonly { readonly instance: Instance; readonly routes: RoutingState }[];
  /** The instance that the gateways send into. */
  readonly active: Instance;
}

/**
 * Returns a VN as one batch per node, in an order in which it can be made. The batches change nothing where it exists
 * already.
 */
export function desiredBatches(layout: Layout, { instances, active }: Desired): Batches {
  return mergeBatches(
    ...instances.map(({ instance }) => setUpRouters(layout, instance)),
    ...instances.map(({ instance, routes }) => setUpSecondPlaces(layout, instance, routes)),
    setUpAccess(layout),
    ...instances.map(({ instance }) => joinGateways(layout, instance)),
    ...instances.map(({ instance, routes }) => installRoutes(routes, instance, layout.names)),
    setGroups(layout, [active], active),
    peerRoutes(layout, 'add'),
  );
}

/** A VN with at least one recorded instance. */
export interface RecordedVn extends Desired, Omit<Layout, 'names'> {
  /** Whether the record is complete: not while a first installation or a removal is unfinished. */
  readonly complete: boolean;
}

/** Returns the recorded VNs of a slice, in their order in the slice. */
export function recordedVns(store: Store, slice: Slice): RecordedVn[] {
  return slice.vns.flatMap((vn): RecordedVn[] => {
    const records = store.instances.list({ slice: slice.name, vn: vn.name });
    const settings = store.instances.settings(slice.name, vn.name);
    const instances = records.map(({ id }) => ({
      instance: store.instances.plan(id),
      routes: store.instances.routes(id),
    }));
    const position = records.findIndex(({ state }) => state === 'active');
    const [first] = instances;
    if (first === undefined) return [];
    return [
      {
        ...planVn(slice, vn),
        instances,
        active: (instances[position] ?? first).instance,
        // For an incomplete VN only the names matter.
        mtu: settings?.mtu ?? 1500,
        urpf: settings?.urpf ?? 'strict',
        complete: settings !== undefined && position >= 0,
      },
    ];
  });
}
