import type { DraftPair } from '../draft.ts';
import type { Reference, Section } from '../draft-reader.ts';
import { atValue, type Problem } from '../fault.ts';
import type { Path } from '../path.ts';
import { quote } from '../words.ts';
import { checkReference, type Kind, repeats } from './references.ts';

/** A pair with two readable ends. */
export interface WholePair {
  readonly path: Path;
  readonly from: Reference;
  readonly to: Reference;
}

/**
 * The rules for a list of pairs: what its ends are, and the messages for a loop and for a pair that is listed twice.
 */
export interface PairRules {
  readonly ends: Kind;
  readonly directed: boolean;
  readonly loop: (name: string) => readonly [message: string, hint: string];
  readonly again: (from: string, to: string) => readonly [message: string, hint: string];
}

/** Reports unknown ends, pairs with two equal ends, and pairs that are listed twice. */
export function checkPairs(pairs: Section<DraftPair>, ends: Section<unknown>, rules: PairRules): Problem[] {
  const whole = wholePairs(pairs);
  return [
    ...pairs.entries.flatMap(({ from, to }) => [
      ...checkReference(rules.ends, from, ends),
      ...checkReference(rules.ends, to, ends),
    ]),
    ...whole
      .filter(({ from, to }) => from.name === to.name)
      .map(({ to }) => atValue(to.path, ...rules.loop(quote(to.name)))),
    ...repeats(whole, (pair) => keyOf(pair, rules.directed)).map(({ item }) =>
      atValue(item.path, ...rules.again(quote(item.from.name), quote(item.to.name))),
    ),
  ];
}

export function wholePairs(pairs: Section<DraftPair>): WholePair[] {
  return pairs.entries.flatMap(({ path, from, to }) => (from && to ? [{ path, from, to }] : []));
}

function keyOf({ from, to }: WholePair, directed: boolean): string {
  const names = [from.name, to.name];
  return JSON.stringify(directed ? names : names.sort());
}
