/** Formats names and values of a slice file for messages. */

const maxNameShown = 60;
const maxListed = 16;
const maxExcerpt = 300;
/** Limits for suggestions, which would take too long beyond them. */
const maxCompared = 100;
const maxComparedLength = 64;

/** Puts a text in single quotes, shortened, on one line. */
export function quote(text: string): string {
  return `'${shorten(text, maxNameShown)}'`;
}

/** Shortens a foreign text, which may repeat any part of the file, to one line. */
export function excerpt(text: string): string {
  return shorten(text, maxExcerpt);
}

/**
 * Escapes control characters, so that a message stays one line and harmless to a terminal, whatever the file contains.
 */
export function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Formats names as `a, b, c`; cuts a long list. */
export function list(names: Iterable<string>): string {
  const first = take(names, maxListed + 1).map((name) => shorten(name, maxNameShown));
  return first.length > maxListed ? `${first.slice(0, maxListed).join(', ')}, ...` : first.join(', ');
}

/** Describes a value, or its type. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? quote(value) : `the ${typeof value} ${value}`;
}

/** The hint for an unknown name: the closest known name, or all of them. `plural` is their noun, like `routers`. */
export function hintAmong(name: string, known: Iterable<string>, plural: string): string {
  const near = closest(name, known);
  if (near !== undefined) return `did you mean ${quote(near)}?`;
  return take(known, 1).length === 0 ? `there are no ${plural}` : `known ${plural}: ${list(known)}`;
}

/** The name in `known` with the smallest edit distance, if it is close enough to be what was meant. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  let best: { name: string; distance: number } | undefined;
  if (name.length > maxComparedLength) return undefined;
  for (const candidate of take(known, maxCompared)) {
    const limit = Math.floor(Math.max(name.length, candidate.length) / 3);
    const nearer = Math.min(limit, (best?.distance ?? Number.POSITIVE_INFINITY) - 1);
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), nearer);
    if (distance <= nearer) best = { name: candidate, distance };
  }
  return best?.name;
}

/**
 * The fewest insertions, deletions, replacements and swaps of neighbours (optimal string alignment); infinite beyond
 * `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = Array<number>(b.length + 1).fill(Number.POSITIVE_INFINITY);
    row[0] = i;
    // Cells further from the diagonal than the limit cannot improve the result.
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row[j] = cost;
    }
    if (Math.min(...row) > limit) return Number.POSITIVE_INFINITY;
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** The first items, without reading the rest: a file may have very many. */
export function take<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length === count) break;
    taken.push(item);
  }
  return taken;
}

function shorten(text: string, length: number): string {
  return oneLine(text.length > length ? `${text.slice(0, length)}...` : text);
}
