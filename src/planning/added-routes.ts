import type { Route } from '../model/route.ts';
import type { Instance } from './instance.ts';
import { isOfInstance } from './translate.ts';

/**
 * The entries of a router (`live`) that somebody has added to those that the VN has there (`own`). Where one of the VN's has
 * gone or leads elsewhere nothing was added: that is a difference, which can be repaired. Left out is what no migration takes along:
 * entries over nexthop objects.
 */
export function addedRoutes(live: readonly Route[], own: readonly Route[], instance: Instance): Route[] {
  const known = new Set(own.map(keyOf));
  return live.filter(
    (route) => !isOfInstance(route, instance) && !known.has(keyOf(route)) && route.nexthopId === undefined,
  );
}

function keyOf({ prefix, metric }: Route): string {
  return `${prefix} ${metric ?? ''}`;
}
