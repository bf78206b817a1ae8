import { quote } from './words.ts';

/** The keys and list indices from the root to a value. */
export type Path = readonly (string | number)[];

/** The value at `path`; undefined if there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, step) => (isContainer(here) && Object.hasOwn(here, step) ? here[step] : undefined),
    value,
  );
}

/** Copies `value` with replacements at some of its paths. Aliases remain one value. */
export function withValues(value: unknown, values: readonly { path: Path; value: unknown }[]): unknown {
  const copy: unknown = structuredClone(value);
  for (const { path, value: replacement } of values) {
    const parent = valueAt(copy, path.slice(0, -1)) as Record<string | number, unknown>;
    parent[path.at(-1)!] = replacement;
  }
  return copy;
}

/** Formats a path for people, like `vn.links[0][2]`; quotes keys that are not plain words. */
export function pathText(path: Path): string {
  return path
    .map((step, depth) => {
      if (typeof step === 'number') return `[${step}]`;
      return `${depth === 0 ? '' : '.'}${/^[\w-]{1,60}$/.test(step) ? step : quote(step)}`;
    })
    .join('');
}

/** Whether `value` is an object, but not an array. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return isContainer(value) && !Array.isArray(value);
}

function isContainer(value: unknown): value is Readonly<Record<string | number, unknown>> {
  return typeof value === 'object' && value !== null;
}
