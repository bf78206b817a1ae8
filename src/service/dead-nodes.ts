/** What a node that is down carries, and the commands that move it to other nodes. */

import type { NodeName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import { placementsAvoiding } from '../planning/placements.ts';
import type { Store } from '../store/store.ts';

/** Returns a sentence for each VN that has a router, gateway or end host on the node. */
export function adviceFor(store: Store, slice: Slice, node: NodeName): string[] {
  return slice.vns.flatMap((vn) => {
    const active = store.instances.active(slice.name, vn.name);
    if (active === undefined) return [];
    const { placement, moving } = store.instances.plan(active.id);
    const places = [...placement, ...(moving ?? [])];
    const routers = places.flatMap(([router, at]) => (at === node ? [`router ${router}`] : []));
    const gateways = vn.gateways.flatMap((gateway) => (gateway.node === node ? [`gateway ${gateway.name}`] : []));
    const hosts = vn.endHosts.flatMap((host) => (host.node === node ? [`end host ${host.name}`] : []));
    const carried = [...routers, ...gateways, ...hosts];
    if (carried.length === 0) return [];
    const what = `it carries ${carried.join(', ')} of VN '${vn.name}'`;
    if (routers.length === 0) return [`${what}; gateways and end hosts cannot migrate`];
    const placements = placementsAvoiding(vn, [node]);
    if (placements.length === 0) return [`${what}; every placement in the slice file uses this node`];
    const name = slice.vns.length > 1 ? ` --vn ${vn.name}` : '';
    const commands = placements.map((to) => `\`pl-vnm migrate ${slice.name}${name} --to ${to}\``).join(' or ');
    return [`${what}; to move its routers, run ${commands}`];
  });
}
