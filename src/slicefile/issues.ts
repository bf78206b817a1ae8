import type { z } from 'zod';
import { atKey, atValue, type Problem } from './fault.ts';
import type { FileSchema } from './json-schema.ts';
import { type Path, valueAt } from './path.ts';
import { hintsOnQuotes } from './quotes.ts';
import { inOneForm } from './unions.ts';
import { describeValue, hintAmong, list, quote } from './words.ts';

type Issue = z.core.$ZodIssue;

/**
 * Translates the issues that `schema` found to problems. `value` is the checked value, and `plainTextOf` returns the
 * source text of its scalars.
 */
export function problemsOf(
  schema: FileSchema,
  found: readonly Issue[],
  value: unknown,
  plainTextOf: (path: Path) => string | undefined,
): Problem[] {
  const issues = inOneForm(found);
  const places = new Set(issues.filter(isWrongType).map(({ path }) => JSON.stringify(path)));
  // A value of the wrong type has no other problems: the length of a text is irrelevant where a list should be.
  const relevant = issues.filter((issue) => isWrongType(issue) || !places.has(JSON.stringify(issue.path)));
  const hints = hintsOnQuotes(schema.schema, relevant, value, plainTextOf);
  return relevant.flatMap((issue) => {
    const path = issue.path as Path;
    return toProblems(schema, issue, path, valueAt(value, path), hints.get(JSON.stringify(path)));
  });
}

function isWrongType({ code }: Issue): boolean {
  return code === 'invalid_type';
}

function toProblems(
  schema: FileSchema,
  issue: Issue,
  path: Path,
  found: unknown,
  hintOnQuotes: string | undefined,
): Problem[] {
  const hint = hintOnQuotes ?? schema.schemaAt(path)?.description;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(schema, path, key));
    case 'invalid_key':
      return issue.issues.map((inner) => atKey(path, inner.message, customHint(inner)));
    case 'custom':
      return [atValue(path, issue.message, customHint(issue))];
    case 'invalid_type':
      return [found === undefined ? missing(path, hint) : wrongType(schema, issue.expected, path, found, hint)];
    case 'invalid_value':
      return [atValue(path, unknownValue(issue, found), hint)];
    case 'too_small':
      return [atValue(path, outOfRange(found, 'small', 'short'), hint)];
    case 'too_big':
      return [atValue(path, outOfRange(found, 'big', 'long'), hint)];
    default:
      return [atValue(path, issue.message, hint)];
  }
}

function unknownKey(schema: FileSchema, path: Path, key: string): Problem {
  return atKey([...path, key], `unknown key ${quote(key)}`, hintAmong(key, schema.keysAt(path), 'keys'));
}

function missing(path: Path, hint: string | undefined): Problem {
  return atKey(path, `${quote(String(path.at(-1)))} is missing`, hint);
}

function wrongType(
  schema: FileSchema,
  expected: string,
  path: Path,
  found: unknown,
  hint: string | undefined,
): Problem {
  const title = schema.schemaAt(path)?.title;
  const noun = title === undefined || path.length === 0 ? (nouns.get(expected) ?? expected) : withArticle(title);
  return atValue(path, `expected ${noun}, found ${describeValue(found)}`, hint);
}

const nouns = new Map([
  ['string', 'text'],
  ['boolean', 'true or false'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['object', 'a map'],
  ['record', 'a map'],
  ['array', 'a list'],
  ['tuple', 'a list'],
]);

/** Where the schema has no words of its own, zod's are used, which are made for programmers. */
function unknownValue({ message, values }: Extract<Issue, { code: 'invalid_value' }>, found: unknown): string {
  if (!message.startsWith('Invalid option')) return message;
  return `expected one of ${list(values.map(String))}, found ${describeValue(found)}`;
}

function withArticle(noun: string): string {
  if (noun.startsWith('the ')) return noun;
  return /^[aeiou]/i.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function outOfRange(found: unknown, ofNumbers: string, ofOthers: string): string {
  if (typeof found === 'number') return `${found} is too ${ofNumbers}`;
  return `${Array.isArray(found) ? 'the list' : describeValue(found)} is too ${ofOthers}`;
}

function customHint(issue: Issue): string | undefined {
  const hint: unknown = issue.code === 'custom' ? issue.params?.hint : undefined;
  return typeof hint === 'string' ? hint : undefined;
}
