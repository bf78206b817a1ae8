/** Operations that several batches contain. */

import type { DaemonProtocol } from '../../model/daemon.ts';
import { routerNamespace } from '../../model/ids.ts';
import type { NamespaceName, RouterName } from '../../model/names.ts';
import { type PackedRoutes, packRoutes } from '../../model/packed-routes.ts';
import type { Route, UrpfMode } from '../../model/route.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { OperationInput } from '../../vsys/operations.ts';
import type { NodeNames } from './batches.ts';

/** The kernel's name of a router's namespace on its node in the instance. */
export function namespaceOf(instance: Instance, router: RouterName, names: NodeNames): NamespaceName {
  return routerNamespace(names.namespacePrefix(instance.placement.get(router)!), instance.slot, router);
}

/** The namespaces of all routers, in the order of the slice file. */
export function namespacesOf(vn: VirtualNetwork, instance: Instance, names: NodeNames): Map<RouterName, NamespaceName> {
  return new Map(routerNames(vn).map((router) => [router, namespaceOf(instance, router, names)]));
}

export function routeOperation(
  action: 'add' | 'delete',
  route: Route,
  namespace?: NamespaceName,
): Extract<OperationInput, { op: 'vroute' }> {
  const { prefix, type, nexthops, nexthopId, metric, source } = route;
  return {
    op: 'vroute',
    action,
    prefix,
    type,
    nexthops: nexthops.map((nexthop) => ({ ...nexthop })),
    ...(namespace === undefined ? {} : { namespace }),
    ...(nexthopId === undefined ? {} : { nexthopId }),
    ...(metric === undefined ? {} : { metric }),
    ...(source === undefined ? {} : { source }),
  };
}

/** So many routes that differ in nothing but their prefix are one operation. */
const leastTogether = 16;

/**
 * Operations for many routes of a router. `protocolOf`: the daemon's protocol for an entry that is to be the daemon's.
 */
export function packedRouteOperations(
  action: 'add' | 'delete',
  routes: readonly PackedRoutes[],
  namespace: NamespaceName,
  protocolOf: (route: Pick<Route, 'protocol'>) => DaemonProtocol | undefined = () => undefined,
): OperationInput[] {
  return routes.flatMap(({ prefixes, ...common }): OperationInput[] => {
    const protocol = protocolOf(common);
    const own = protocol === undefined ? {} : { protocol };
    const each = prefixes.split(' ');
    if (each.length < leastTogether)
      return each.map((prefix) => ({ ...routeOperation(action, { ...common, prefix }, namespace), ...own }));
    const { prefix: _, ...rest } = routeOperation(action, { ...common, prefix: each[0]! }, namespace);
    return [{ ...rest, namespace, op: 'vroutes', prefixes, ...own }];
  });
}

export function routeOperations(
  action: 'add' | 'delete',
  routes: readonly Route[],
  namespace: NamespaceName,
): OperationInput[] {
  return packedRouteOperations(action, packRoutes(routes), namespace);
}

export function vifUp(
  end: { interface: string; address: string },
  peer: { address: string; mac?: string },
  namespace: NamespaceName | undefined,
  { urpf, pointToPoint = false }: { readonly urpf?: UrpfMode; readonly pointToPoint?: boolean } = {},
): OperationInput {
  return {
    op: 'vif_up',
    interface: end.interface,
    address: end.address,
    peer: { address: peer.address, ...(peer.mac === undefined ? {} : { mac: peer.mac }) },
    ...(namespace === undefined ? {} : { namespace }),
    ...(urpf === undefined ? {} : { urpf }),
    ...(pointToPoint ? { pointToPoint } : {}),
  };
}
