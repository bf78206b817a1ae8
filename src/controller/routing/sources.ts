import type { RouterName } from '../../model/names.ts';
import type { RouterKind } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { daemonRoutes } from './daemon.ts';
import { imageRoutes } from './image.ts';
import type { RoutingSource } from './source.ts';
import { staticRoutes } from './static.ts';

const sources: Readonly<Record<RouterKind, RoutingSource>> = {
  static: staticRoutes,
  // Those of its own stack; entries are planned, not read.
  switch: staticRoutes,
  frr: daemonRoutes('frr'),
  bird: daemonRoutes('bird'),
  image: imageRoutes,
};

export function sourceOf({ routers }: VirtualNetwork, router: RouterName): RoutingSource {
  return sources[routers.find(({ name }) => name === router)!.kind];
}
