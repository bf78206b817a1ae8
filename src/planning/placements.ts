import type { VirtualNetwork } from '../model/slice.ts';

/** The placements that avoid the dead nodes. None if a gateway or an end host is on one, because these never move. */
export function placementsAvoiding(vn: VirtualNetwork, deadNodes: readonly string[]): string[] {
  if ([...vn.gateways, ...vn.endHosts].some(({ node }) => deadNodes.includes(node))) return [];
  return [...vn.placements]
    .filter(([, placement]) => ![...placement.values()].some((node) => deadNodes.includes(node)))
    .map(([name]) => name);
}
