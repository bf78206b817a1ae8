/**
 * The routes of a router that is a virtual machine. Only its guest knows them: the guest of a new instance has its
 * own from its configuration disk, or learns them.
 */
import type { RoutingSource } from './source.ts';
import { staticRoutes } from './static.ts';

export const imageRoutes: RoutingSource = {
  ...staticRoutes,
  read: async () => [],
  isOwn: () => false,
  put: () => new Map(),
};
