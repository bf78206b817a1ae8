/**
 * Many routes of a router: most differ in nothing but their prefix, so 100,000 of them take little space, and little
 * time to send, to translate and to compare. Pure.
 */
import type { Route } from './route.ts';

/** Routes that differ in nothing but their prefix; `prefixes` are separated by spaces. */
export interface PackedRoutes extends Omit<Route, 'prefix'> {
  readonly prefixes: string;
}

/**
 * Keeps the order of routes that are alike, and of routes that follow each other with one prefix and metric: the kernel
 * uses the first.
 */
export function packRoutes(routes: readonly Route[]): PackedRoutes[] {
  const bundles = new Map<string, { readonly common: Omit<Route, 'prefix'>; readonly prefixes: string[] }>();
  const again: PackedRoutes[] = [];
  let last: Route | undefined;
  for (const route of routes) {
    const { prefix, ...common } = route;
    const isAgain = prefix === last?.prefix && common.metric === last.metric;
    last = route;
    if (isAgain) {
      again.push({ ...common, prefixes: prefix });
      continue;
    }
    const key = likenessOf(common);
    const bundle = bundles.get(key);
    if (bundle === undefined) bundles.set(key, { common, prefixes: [prefix] });
    else bundle.prefixes.push(prefix);
  }
  const packed = [...bundles.values()].map(({ common, prefixes }) => ({ ...common, prefixes: prefixes.join(' ') }));
  return [...packed, ...again];
}

/** The same for routes that differ in nothing but their prefix. */
function likenessOf({ type, nexthops, nexthopId, metric, source, protocol }: Omit<Route, 'prefix'>): string {
  let key = `${type} ${nexthopId} ${metric} ${source} ${protocol}`;
  for (const { interface: name, via, weight } of nexthops) key += ` ${name} ${via} ${weight}`;
  return key;
}

export function unpackRoutes(packed: readonly PackedRoutes[]): Route[] {
  return packed.flatMap(({ prefixes, ...common }) => prefixes.split(' ').map((prefix) => ({ prefix, ...common })));
}

/** Those whose prefix is wanted. */
export function filterPacked(
  packed: readonly PackedRoutes[],
  isWanted: (prefix: string, common: Omit<PackedRoutes, 'prefixes'>) => boolean,
): PackedRoutes[] {
  return packed.flatMap((bundle) => {
    const prefixes = bundle.prefixes.split(' ');
    const wanted = prefixes.filter((prefix) => isWanted(prefix, bundle));
    if (wanted.length === prefixes.length) return [bundle];
    return wanted.length === 0 ? [] : [{ ...bundle, prefixes: wanted.join(' ') }];
  });
}

/** The ones of `others` that are not in `packed`. */
export function missingInPacked(packed: readonly PackedRoutes[], others: readonly PackedRoutes[]): PackedRoutes[] {
  const known = Map.groupBy(packed, likenessOf);
  return others.flatMap((bundle) => {
    const alike = known.get(likenessOf(bundle)) ?? [];
    if (alike.length === 0) return [bundle];
    if (alike.some(({ prefixes }) => prefixes === bundle.prefixes)) return [];
    const there = new Set(alike.flatMap(({ prefixes }) => prefixes.split(' ')));
    return filterPacked([bundle], (prefix) => !there.has(prefix));
  });
}
