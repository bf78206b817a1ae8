/** What a node that is down carries, and where it can be moved. */

import type { NodeName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import { placementsAvoiding } from '../planning/placements.ts';
import type { Store } from '../store/store.ts';

/** One sentence per VN that the node carries something of; none where it carries nothing. */
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
    const what = `of VN '${vn.name}' it carries ${carried.join(', ')}`;
    if (routers.length === 0) return [`${what}, which no migration can move`];
    const placements = placementsAvoiding(vn, [node]);
    if (placements.length === 0) return [`${what}; no placement of the slice file is without it`];
    const name = slice.vns.length > 1 ? ` --vn ${vn.name}` : '';
    const commands = placements.map((to) => `pl-vnm migrate ${slice.name}${name} --to ${to}`).join(', or ');
    return [`${what}; to move it away: ${commands}`];
  });
}
