import type { z } from 'zod';
import { type Path, valueAt, withValues } from './path.ts';
import { inOneForm } from './unions.ts';
import { quote } from './words.ts';

type Issue = z.core.$ZodIssue;

interface Repair {
  readonly path: Path;
  readonly value: unknown;
  readonly hint: string;
}

/**
 * Hints for values where only the quotes are wrong, by path as JSON: a name that YAML reads as a number (`1`, `0x10`,
 * `1e3`), as `true` or as `null`, and a number in quotes. Gives a hint only if it makes the value valid.
 */
export function hintsOnQuotes(
  schema: z.ZodType,
  issues: readonly Issue[],
  value: unknown,
  plainTextOf: (path: Path) => string | undefined,
): ReadonlyMap<string, string> {
  const repairs = issues.flatMap((issue) => repairOf(issue, value, plainTextOf) ?? []);
  if (repairs.length === 0) return new Map();
  const { error } = schema.safeParse(withValues(value, repairs));
  const wrong = new Set(inOneForm(error?.issues ?? []).map(({ path }) => JSON.stringify(path)));
  const hints = repairs.map(({ path, hint }) => [JSON.stringify(path), hint] as const);
  return new Map(hints.filter(([path]) => !wrong.has(path)));
}

function repairOf(issue: Issue, whole: unknown, plainTextOf: (path: Path) => string | undefined): Repair | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  const path = issue.path as Path;
  const found = valueAt(whole, path);
  if (issue.expected === 'string') {
    const text = plainTextOf(path);
    return text === undefined ? undefined : { path, value: text, hint: `write it in quotes: ${quote(text)}` };
  }
  const isNumberInQuotes = typeof found === 'string' && /^-?\d+(\.\d+)?$/.test(found);
  if (!isNumberInQuotes || !['number', 'int'].includes(issue.expected)) return undefined;
  return { path, value: Number(found), hint: `write it without quotes: ${found}` };
}
