/** What must be on the nodes, by the database. */
import type { Slice } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { RoutingState } from '../../planning/routes.ts';
import { planVn } from '../../planning/vn-plan.ts';
import type { Store } from '../../store/store.ts';
import { setUpAccess } from './access.ts';
import { type Batches, type Layout, mergeBatches } from './batches.ts';
import { joinGateways, peerRoutes, setGroups } from './gateways.ts';
import { installRoutes, setUpRouters, setUpSecondPlaces } from './routers.ts';

/** What is, or may be, on the nodes of a VN. */
export interface Desired {
  /** One but for a migration. */
  readonly instances: readonly { readonly instance: Instance; readonly routes: RoutingState }[];
  /** The instance that the gateways send into. */
  readonly active: Instance;
}

/** A VN as one batch per node, in the order in which it can be made. Where all of it is there the batches change nothing. */
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

/** A VN of which something is recorded. */
export interface RecordedVn extends Desired, Omit<Layout, 'names'> {
  /** Whether the record says all: not while a first installation or a removal is unfinished. */
  readonly complete: boolean;
}

/** What of a slice's VNs is recorded, in their order. */
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
        // Of a VN that is not complete only the names count.
        mtu: settings?.mtu ?? 1500,
        urpf: settings?.urpf ?? 'strict',
        complete: settings !== undefined && position >= 0,
      },
    ];
  });
}
