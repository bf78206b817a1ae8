/** Reads any kind of file: its values by a schema, and the problems that the schema finds. */
import type * as z from 'zod';
import { readYaml } from './document.ts';
import { type Fault, faultOf, type Position, type Problem } from './fault.ts';
import { problemsOf } from './issues.ts';
import type { FileSchema } from './json-schema.ts';
import type { Path } from './path.ts';

/** A file that is YAML. */
export interface ReadFile<T> {
  /** Plain values, as `YamlDocument`. */
  readonly value: unknown;
  /** Undefined if the schema found problems. */
  readonly data: T | undefined;
  readonly problems: readonly Problem[];
  readonly positionOf: (path: Path, part: 'value' | 'key') => Position;
  readonly located: (problem: Problem) => Fault;
}

/**
 * Reads a file by its schema. `faults` are those of its YAML, unsorted; without `read` it is no YAML at all. `file`
 * only appears in the faults.
 */
export function readBySchema<S extends z.ZodType>(
  text: string,
  file: string,
  schema: FileSchema<S>,
): { readonly faults: Fault[]; readonly read?: ReadFile<z.output<S>> } {
  const { document, faults } = readYaml(text, file, schema.noun);
  if (document === undefined) return { faults };
  const { value, positionOf, plainTextOf } = document;
  const parsed = schema.schema.safeParse(value);
  const problems = parsed.success ? [] : problemsOf(schema, parsed.error.issues, value, plainTextOf);
  const located = (problem: Problem) => faultOf(problem, file, positionOf(problem.path, problem.at));
  return { faults, read: { value, data: parsed.data, problems, positionOf, located } };
}
