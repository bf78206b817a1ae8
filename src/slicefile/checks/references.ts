import type { Reference, Section } from '../draft-reader.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { hintAmong, quote } from '../words.ts';

/** What a name refers to: `router` of `routers`. */
export interface Kind {
  readonly singular: string;
  readonly plural: string;
}

export const aNode: Kind = { singular: 'node', plural: 'nodes' };
export const aRouter: Kind = { singular: 'router', plural: 'routers' };
export const aGateway: Kind = { singular: 'gateway', plural: 'gateways' };
export const anEndHost: Kind = { singular: 'end host', plural: 'end hosts' };

/** A fault when the name is not declared in `section`; `at` says whether it stands at its path as a value or as a key. */
export function checkReference(
  kind: Kind,
  reference: Reference | undefined,
  section: Section<unknown>,
  at: 'value' | 'key' = 'value',
): Problem[] {
  if (reference === undefined || section.names === undefined || section.names.has(reference.name)) return [];
  const problem = at === 'key' ? atKey : atValue;
  const hint = hintAmong(reference.name, section.names, kind.plural);
  return [problem(reference.path, `unknown ${kind.singular} ${quote(reference.name)}`, hint)];
}

/** Pairs each item with the first one that has the same key, for all items after that one; items without a key have no equal. */
export function repeats<T>(items: readonly T[], keyOf: (item: T) => string | undefined): { item: T; first: T }[] {
  const firsts = new Map<string, T>();
  return items.flatMap((item) => {
    const key = keyOf(item);
    if (key === undefined) return [];
    const first = firsts.get(key);
    if (first !== undefined) return [{ item, first }];
    firsts.set(key, item);
    return [];
  });
}
