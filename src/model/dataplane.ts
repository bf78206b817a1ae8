/** Which data plane carries a VN. */
import { VnmError } from './errors.ts';
import { isImageRouter, programOf } from './router.ts';
import type { Slice, VirtualNetwork } from './slice.ts';
import type { NodeTunnelKind } from './tunnel.ts';

export const dataplanes = ['kernel', 'userspace'] as const;
export type Dataplane = (typeof dataplanes)[number];

/**
 * The data plane of all nodes that a VN uses. Throws VnmError `unsupported` where they have different ones: a tunnel of
 * one plane cannot end on the other (decision 31).
 */
function dataplaneOf({ name, nodes }: Pick<Slice, 'name' | 'nodes'>, vn: VirtualNetwork): Dataplane {
  const used = [
    ...[...vn.gateways, ...vn.endHosts].map(({ node }) => node),
    ...[...vn.placements.values()].flatMap((placement) => [...placement.values()]),
  ];
  const isUserspace = (node: string) => nodes.get(node)?.dataplane === 'userspace';
  const userspace = used.find(isUserspace);
  const kernel = used.find((node) => !isUserspace(node));
  if (userspace === undefined) return 'kernel';
  if (kernel === undefined) return 'userspace';
  throw new VnmError(
    'unsupported',
    `VN '${vn.name}' of slice '${name}' uses node '${userspace}' with the userspace data plane and node '${kernel}' with the kernel's`,
    { hint: 'give all nodes of a VN the same dataplane' },
  );
}

export const noForwardsHint =
  'on the kernel data plane programs use the addresses of the VN themselves: remove `forward`, or use the userspace data plane';

/**
 * Throws VnmError `unsupported` for a VN on the kernel data plane whose end hosts have forwards; and as `dataplaneOf`.
 */
export function refuseKernelForwards(slice: Pick<Slice, 'name' | 'nodes'>, vn: VirtualNetwork): void {
  const endHost = vn.endHosts.find(({ forwards = [] }) => forwards.length > 0);
  if (endHost === undefined || dataplaneOf(slice, vn) === 'userspace') return;
  throw new VnmError(
    'unsupported',
    `end host '${endHost.name}' of VN '${vn.name}' has forwards, but the kernel data plane has none`,
    { hint: noForwardsHint },
  );
}

export const noDaemonsHint = 'its routers run no programs: use the kernel data plane';

/**
 * Throws VnmError `unsupported` for a VN on the userspace data plane with a routing daemon, a switch or a virtual
 * machine, which only the kernel's network namespaces can have; and as `dataplaneOf`.
 */
export function refuseUserspaceDaemons(slice: Pick<Slice, 'name' | 'nodes'>, vn: VirtualNetwork): void {
  const router = vn.routers.find((one) => programOf(one) !== undefined || isImageRouter(one));
  if (router === undefined || dataplaneOf(slice, vn) === 'kernel') return;
  throw new VnmError(
    'unsupported',
    `router '${router.name}' of VN '${vn.name}' is of kind '${router.kind}', which the userspace data plane does not have`,
    { hint: noDaemonsHint },
  );
}

/** The kind of a VN's tunnels between nodes. Throws as `dataplaneOf`. */
export function nodeTunnelOf(slice: Pick<Slice, 'name' | 'nodes'>, vn: VirtualNetwork): NodeTunnelKind {
  return dataplaneOf(slice, vn) === 'userspace' ? 'udp' : 'vxlan';
}
