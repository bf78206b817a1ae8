import type { Draft, DraftPlacement, DraftVn } from '../draft.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { list, quote, take } from '../words.ts';
import { aNode, aRouter, checkReference } from './references.ts';

/** More than a message shows. */
const maxMissing = 20;

/** Checks that every placement of a VN gives a substrate node to each of its routers, and to nothing else. */
export function checkPlacements({ nodes }: Draft, { routers, placements }: DraftVn): Problem[] {
  const none = placements.names?.size === 0;
  return [
    ...(none ? [atValue(placements.path, 'no placement', 'add one: initial: { ROUTER: NODE }')] : []),
    ...placements.entries.flatMap(({ places }) =>
      places.entries.flatMap((router) => [
        ...checkReference(aRouter, router, routers, 'key'),
        ...checkReference(aNode, router.node, nodes),
      ]),
    ),
    ...placements.entries.flatMap((placement) => checkAllPlaced(placement, routers.names)),
  ];
}

function checkAllPlaced({ name, path, places }: DraftPlacement, routers: ReadonlySet<string> | undefined): Problem[] {
  const placed = places.names;
  const missing = placed === undefined ? [] : take(without(routers ?? [], placed), maxMissing);
  if (missing.length === 0) return [];
  const [nouns, whom] = missing.length === 1 ? ['router', list(missing)] : ['routers', 'each of them'];
  return [atKey(path, `placement ${quote(name)} has no node for ${nouns} ${list(missing)}`, `add ${whom}: NODE`)];
}

function* without(names: Iterable<string>, others: ReadonlySet<string>): Iterable<string> {
  for (const name of names) if (!others.has(name)) yield name;
}
