/** How names and values of a slice file appear in messages. */

const maxNameShown = 60;
const maxListed = 10;
/** Beyond these a suggestion would take longer than it is worth. */
const maxCompared = 256;
const maxComparedLength = 64;

/** In single quotes, shortened, on one line. */
export function quote(text: string): string {
  return `'${shorten(text)}'`;
}

/** With control characters escaped: a message stays one line, and harmless to a terminal, whatever the file holds. */
export function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `a, b, c`, the rest of a long list left out. */
export function list(names: Iterable<string>): string {
  const all = [...names].map(shorten);
  return all.length > maxListed ? `${all.slice(0, maxListed).join(', ')}, ...` : all.join(', ');
}

/** What kind of thing a value is. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? quote(value) : `the ${typeof value} ${value}`;
}

/** The hint for a name that is not among the known ones. `plural` says what they are: `routers`. */
export function hintAmong(name: string, known: Iterable<string>, plural: string): string {
  const names = [...known];
  const near = closest(name, names);
  if (near !== undefined) return `did you mean ${quote(near)}?`;
  return names.length === 0 ? `there are no ${plural}` : `known ${plural}: ${list(names)}`;
}

/** The nearest of `known` by edit distance, if one is near enough to be what was meant. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  let best: { name: string; distance: number } | undefined;
  if (name.length > maxComparedLength) return undefined;
  for (const candidate of [...known].slice(0, maxCompared)) {
    const limit = Math.floor(Math.max(name.length, candidate.length) / 3);
    if (Math.abs(name.length - candidate.length) > limit) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name: candidate, distance };
  }
  return best?.name;
}

/** Fewest insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

function shorten(text: string): string {
  return oneLine(text.length > maxNameShown ? `${text.slice(0, maxNameShown)}...` : text);
}
