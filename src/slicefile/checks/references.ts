import type { Reference, Section } from '../draft-reader.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { hintAmong, quote } from '../words.ts';

/** The kind of thing that a name refers to, like `router` and `routers`. */
export interface Kind {
  readonly singular: string;
  readonly plural: string;
}

export const aNode: Kind = { singular: 'node', plural: 'nodes' };
export const aRouter: Kind = { singular: 'router', plural: 'routers' };
export const aGateway: Kind = { singular: 'gateway', plural: 'gateways' };
export const anEndHost: Kind = { singular: 'end host', plural: 'end hosts' };

/** Reports a name that `section` does not declare; `at` says whether it is the value or the key at its path. */
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

/** Finds items with the key of an earlier item, each with the first such item; skips items without a key. */
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
