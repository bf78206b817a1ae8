import type { Route } from '../model/route.ts';
import type { Instance } from './instance.ts';
import { ofInstance } from './translate.ts';

/**
 * The routes of a router (`live`) that somebody added to the VN's own (`own`). A missing or changed route of the VN
 * does not count: that is a difference, which can be repaired. Omits routes over nexthop objects, which no migration
 * clones.
 */
export function addedRoutes(live: readonly Route[], own: readonly Route[], instance: Instance): Route[] {
  const known = new Set(own.map(keyOf));
  const isOfInstance = ofInstance(instance);
  return live.filter((route) => !isOfInstance(route) && !known.has(keyOf(route)) && route.nexthopId === undefined);
}

function keyOf({ prefix, metric }: Route): string {
  return `${prefix} ${metric ?? ''}`;
}
