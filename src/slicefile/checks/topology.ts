import type { DraftVn } from '../draft.ts';
import { atValue, type Problem } from '../fault.ts';
import { list, quote } from '../words.ts';
import { checkPairs, type PairRules, wholePairs } from './pairs.ts';
import { aRouter, repeats } from './references.ts';

/** Checks the routers and virtual links of a VN. */
export function checkTopology(vn: DraftVn): Problem[] {
  const again = repeats(vn.routers.entries, ({ name }) => name).map(({ item }) =>
    atValue(item.path, `duplicate router ${quote(item.name)}`, 'list each router once'),
  );
  return [...again, ...checkPairs(vn.links, vn.routers, linkRules), ...checkConnected(vn)];
}

const linkRules: PairRules = {
  ends: aRouter,
  directed: false,
  loop: (router) => [`link from router ${router} to itself`, 'a link joins two different routers'],
  again: (from, to) => [
    `the link between ${from} and ${to} is listed twice`,
    'a link carries both directions; list it once',
  ],
};

/** Checks that the VN is connected; skipped unless all routers and links are readable, to avoid a follow-up fault. */
function checkConnected({ name, routers, links }: DraftVn): Problem[] {
  const pairs = wholePairs(links);
  const ends = pairs.map(({ from, to }) => [from.name, to.name] as const);
  const readable = routers.complete && links.complete && pairs.length === links.entries.length;
  if (!readable || ends.flat().some((end) => !routers.names?.has(end))) return [];
  const parts = connectedParts([...(routers.names ?? [])], ends);
  if (parts.length < 2) return [];
  const shown = parts.map((part) => `{${list(part)}}`);
  const path = links.entries.length === 0 ? routers.path : links.path;
  return [atValue(path, `VN ${quote(name)} is disconnected: ${list(shown)}`, 'add links that join the parts')];
}

/** Groups the routers by connected part, both in the order of `names`. */
function connectedParts(names: readonly string[], links: readonly (readonly [string, string])[]): string[][] {
  const neighbours = new Map(names.map((name) => [name, [] as string[]]));
  for (const [from, to] of links) {
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const partOf = new Map<string, string>();
  for (const start of names) {
    const waiting = partOf.has(start) ? [] : [start];
    for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
      if (partOf.has(here)) continue;
      partOf.set(here, start);
      for (const next of neighbours.get(here) ?? []) waiting.push(next);
    }
  }
  return [...Map.groupBy(names, (name) => partOf.get(name)).values()];
}
