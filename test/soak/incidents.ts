/** Incidents on the nodes while the service runs, each at its time. */
import { execFileSync } from 'node:child_process';
import type { Place } from '../chaos/place.ts';

/** An incident: the flows that cross `node` may lose packets from `fromMs` to `toMs`. */
export interface Incident {
  readonly what: string;
  readonly node: string;
  /** Whether packets over the node may be lost. */
  readonly hurts: boolean;
  /** Unix ms. */
  readonly fromMs: number;
  /** When the incident was undone. */
  readonly toMs: number;
}

export type Strike = (place: Place, wait: (ms: number) => Promise<void>) => Promise<Omit<Incident, 'fromMs' | 'toMs'>>;

/** Returns the current node of a router, and its namespace there. */
function nodeOf({ store, slice, vn }: Place, router: string): { node: string; namespace: string } {
  const { id } = store.instances.active(slice.name, vn.name)!;
  return {
    node: store.instances.plan(id).placement.get(router)!,
    namespace: store.instances.namespaces(id).get(router)!,
  };
}

/** Cuts a node off for a time that may be shorter or longer than the time between two migrations. */
export function cutNode(forMs: number): Strike {
  return async (place, wait) => {
    const { node } = nodeOf(place, 'a');
    await place.cut(node);
    try {
      await wait(forMs);
    } finally {
      await place.heal(node);
    }
    return { what: `node cut off for ${forMs / 1000} s`, node, hurts: true };
  };
}

export function killAgent(which: 'gateway' | 'router'): Strike {
  return async (place) => {
    const node = which === 'gateway' ? place.vn.gateways[0]!.node : nodeOf(place, 'b').node;
    if (place.kill(node, 'daemon --slice') === 0) throw new Error(`there is no agent on ${node}`);
    return { what: `agent of a ${which} killed`, node, hurts: false };
  };
}

/** Deletes a tunnel between two routers, as an administrator of the node might. */
export const deleteTunnel: Strike = async (place) => {
  const { node, namespace } = nodeOf(place, 'c');
  const { id } = place.store.instances.active(place.slice.name, place.vn.name)!;
  const link = place.store.instances.plan(id).links.find(({ a, b }) => a.router !== undefined && b.router === 'c')!;
  execFileSync('ip', ['-n', namespace, 'link', 'del', link.b.interface]);
  return { what: 'tunnel deleted', node, hurts: true };
};

/** Deletes the routes of a router to other end hosts. */
export const deleteRoutes: Strike = async (place) => {
  const { node, namespace } = nodeOf(place, 'b');
  execFileSync('ip', ['-n', namespace, 'route', 'flush', 'proto', '246']);
  return { what: 'routes deleted', node, hurts: true };
};
