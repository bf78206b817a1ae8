/** What the database says shall be on the nodes. */
import type { UrpfMode } from '../../model/route.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { type Instance, planAccess } from '../../planning/instance.ts';
import type { RoutingState } from '../../planning/routes.ts';
import type { Store } from '../../store/store.ts';
import { setUpAccess } from './access.ts';
import { type Batches, mergeBatches, type NodeNames } from './batches.ts';
import { joinGateways, peerRoutes, setGroups } from './gateways.ts';
import { installRoutes, setUpRouters } from './routers.ts';

export interface Desired {
  readonly vn: VirtualNetwork;
  /** Every instance that is, or may be, on the nodes, with the entries of its routers. One but for a migration. */
  readonly instances: readonly { readonly instance: Instance; readonly routes: RoutingState }[];
  /** The instance that the gateways send into. */
  readonly active: Instance;
  /** Of all its tunnels. */
  readonly mtu: number;
  readonly urpf: UrpfMode;
}

/** A VN as one batch per node, in the order in which it can be made. Where all of it is there the batches change nothing. */
export function desiredBatches(slice: Slice, desired: Desired, names: NodeNames): Batches {
  const { vn, instances, active, mtu, urpf } = desired;
  const access = planAccess(slice, vn);
  return mergeBatches(
    ...instances.map(({ instance }) => setUpRouters(vn, instance, names, mtu, urpf)),
    setUpAccess(slice, vn, access, names, mtu, urpf),
    ...instances.map(({ instance }) => joinGateways(slice, vn, instance, names, mtu, urpf)),
    ...instances.map(({ instance, routes }) => installRoutes(routes, instance, names)),
    setGroups(slice, vn, names, [active], active, urpf),
    peerRoutes(slice, vn, access, 'add'),
  );
}

/** A VN of which something is recorded. */
export interface RecordedVn extends Desired {
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
        vn,
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
