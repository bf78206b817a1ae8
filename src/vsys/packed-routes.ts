/**
 * The routes of a router in an answer: most differ in nothing but their prefix, so 100,000 of them take little space,
 * and little time to write and to read. Pure.
 */
import type { Route } from '../model/route.ts';

/** Routes that differ in nothing but their prefix; `prefixes` are separated by spaces. */
export interface PackedRoutes extends Omit<Route, 'prefix'> {
  readonly prefixes: string;
}

/** Keeps the order of routes that are alike only; of routes with one prefix and metric, the kernel uses the first. */
export function packRoutes(routes: readonly Route[]): PackedRoutes[] {
  const bundles = new Map<string, { readonly common: Omit<Route, 'prefix'>; readonly prefixes: string[] }>();
  for (const { prefix, ...common } of routes) {
    const key = likenessOf(common);
    const bundle = bundles.get(key);
    if (bundle === undefined) bundles.set(key, { common, prefixes: [prefix] });
    else bundle.prefixes.push(prefix);
  }
  return [...bundles.values()].map(({ common, prefixes }) => ({ ...common, prefixes: prefixes.join(' ') }));
}

function likenessOf({ type, nexthops, nexthopId, metric, source, protocol }: Omit<Route, 'prefix'>): string {
  let key = `${type} ${nexthopId} ${metric} ${source} ${protocol}`;
  for (const { interface: name, via, weight } of nexthops) key += ` ${name} ${via} ${weight}`;
  return key;
}

export function unpackRoutes(packed: readonly PackedRoutes[]): Route[] {
  return packed.flatMap(({ prefixes, ...common }) => prefixes.split(' ').map((prefix) => ({ prefix, ...common })));
}
