import type { VnStatus } from '../../src/controller/status.ts';

export interface RouterLink {
  /** The namespace of the router. */
  readonly namespace: string;
  /** The address of the router on the link, and that of its peer. */
  readonly own: string;
  readonly peer: string;
}

/** Returns a router's end of its virtual link to another, as `status` shows it for the VN's only instance. */
export function routerLink({ vn, instances }: VnStatus, router: string, other: string): RouterLink {
  const [instance, ...more] = instances;
  const namespace = instance?.routers.find((place) => place.router === router)?.namespace;
  const ends = instance?.tunnels.map(({ a, b, addresses }) => ({ names: [a, b].map(routerOf), addresses }));
  const link = ends?.find(({ names }) => names.includes(router) && names.includes(other));
  if (more.length > 0 || namespace === undefined || link === undefined)
    throw new Error(`VN '${vn}' does not have one instance with a link from '${router}' to '${other}'`);
  const [first, second] = link.addresses;
  return link.names[0] === router ? { namespace, own: first, peer: second } : { namespace, own: second, peer: first };
}

/** `a@n1`: router a on node n1. */
function routerOf(end: string): string {
  return end.split('@')[0]!;
}
