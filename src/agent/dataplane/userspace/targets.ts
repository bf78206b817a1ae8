/** Where routes lead: their types, and the interfaces that their ways leave by. */
import { isGroup, type KernelRoute, type KernelState, type Nexthop, ownStack, type Place } from '../planner/state.ts';
import type { Switches } from './switches.ts';
import type { Port, Target, Way } from './types.ts';

/**
 * Returns a function that returns the target of a route of a stack. Routes that lead to the same place have the same
 * target: a large table then needs little memory, and a packet finds its target in the processor's cache.
 */
export function createTargets(
  state: KernelState,
  switches: Pick<Switches, 'slotOf'>,
  portAt: (place: Place) => Port | undefined,
): (route: KernelRoute, namespace: string) => Target {
  const targets = new Map<string, Target>();

  const wayOver = (place: Place, neighbour: string | undefined, weight = 1): Way => {
    const port = portAt(place);
    return { interface: place, port: port !== undefined && leads(port, neighbour) ? port : undefined, weight };
  };
  const nexthops = new Map<number, Way>();
  for (const nexthop of state.nexthops.values()) {
    if (isGroup(nexthop)) continue;
    nexthops.set(nexthop.id, wayOver({ namespace: ownStack, name: nexthop.interface }, nexthop.via));
  }

  function newTarget(route: KernelRoute, namespace: string): Target {
    if (route.type !== 'unicast') return { type: 'rejected', as: route.type };
    const nexthop = route.nexthopId === undefined ? undefined : state.nexthops.get(route.nexthopId);
    if (nexthop !== undefined) return targetOver(nexthop);
    const ways = route.nexthops.map((hop) => wayOver({ namespace, name: hop.interface }, hop.via, hop.weight));
    return { type: 'ways', ways, totalWeight: ways.reduce((sum, { weight }) => sum + weight, 0) };
  }

  function targetOver(nexthop: Nexthop): Target {
    if (!isGroup(nexthop)) return { type: 'ways', ways: [nexthops.get(nexthop.id)!], totalWeight: 1 };
    const { id, members, resilient } = nexthop;
    return { type: 'group', group: { slot: switches.slotOf(`group ${id}`)!, members, resilient, nexthops } };
  }

  return (route, namespace) => {
    const key = keyOf(route, namespace);
    let target = targets.get(key);
    if (target === undefined) {
      target = newTarget(route, namespace);
      targets.set(key, target);
    }
    return target;
  };
}

/** The same for routes that lead to the same place. */
function keyOf({ type, nexthopId, nexthops }: KernelRoute, namespace: string): string {
  const ways = nexthops.map(({ interface: name, via, weight }) => `${name} ${via} ${weight}`);
  return [namespace, type, nexthopId, ...ways].join(', ');
}

/** Whether what is sent to a neighbour over an interface arrives: of a pair each end knows the other's MAC address. */
function leads({ link, peer }: Port, neighbour: string | undefined): boolean {
  if (peer === undefined || neighbour === undefined) return true;
  return link.neighbours.some(({ address, mac }) => address === neighbour && mac === peer.link.mac);
}
