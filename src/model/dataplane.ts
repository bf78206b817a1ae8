/** Which data plane carries a VN. */
import { VnmError } from './errors.ts';
import type { Slice, VirtualNetwork } from './slice.ts';
import type { NodeTunnelKind } from './tunnel.ts';

export const dataplanes = ['kernel', 'userspace'] as const;
export type Dataplane = (typeof dataplanes)[number];

/**
 * The data plane of all nodes that a VN uses. Throws VnmError `unsupported` where they have different ones: a tunnel of one plane
 * cannot end on the other (decision 31).
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

/** The kind of a VN's tunnels between nodes. Throws as `dataplaneOf`. */
export function nodeTunnelOf(slice: Pick<Slice, 'name' | 'nodes'>, vn: VirtualNetwork): NodeTunnelKind {
  return dataplaneOf(slice, vn) === 'userspace' ? 'udp' : 'vxlan';
}
