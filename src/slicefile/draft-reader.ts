import type { Problem } from './fault.ts';
import { isMap, type Path, valueAt } from './path.ts';
import { closest } from './words.ts';

/** A name and its path. */
export interface Reference {
  readonly name: string;
  readonly path: Path;
}

/** A list or map of the file. */
export interface Section<E> {
  readonly path: Path;
  readonly entries: readonly E[];
  /** The names that it declares; undefined if the section is unreadable, and then no name counts as unknown. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether `entries` has everything that is in the file. */
  readonly complete: boolean;
}

/** Reads the parts of a slice file, and skips values of the wrong type, which are already faults. */
export class DraftReader {
  readonly #value: unknown;
  /** The paths of problems, as text; and the same paths by their parent. */
  readonly #faulty: ReadonlySet<string>;
  readonly #faultyIn: ReadonlyMap<string, readonly Path[]>;

  /** `problems` are the schema's problems with `value`. */
  constructor(value: unknown, problems: readonly Problem[]) {
    this.#value = value;
    const faulty = problems.map(({ path }) => path);
    this.#faulty = new Set(faulty.map(keyOf));
    this.#faultyIn = Map.groupBy(faulty, (path) => keyOf(path.slice(0, -1)));
  }

  at(path: Path): unknown {
    return valueAt(this.#value, path);
  }

  reference(path: Path): Reference | undefined {
    const name = this.at(path);
    return typeof name === 'string' ? { name, path } : undefined;
  }

  list<E>(path: Path, read: (path: Path) => E | undefined): Section<E> {
    const value = this.at(path);
    if (!Array.isArray(value)) return this.#noSection(path);
    const entries = value.map((_, index) => read([...path, index])).filter((entry) => entry !== undefined);
    // A name that YAML reads as a number is already a fault; references to it are not.
    const hasUnreadable = value.some((item) => typeof item !== 'string' && (item === null || typeof item !== 'object'));
    const names = new Set(value.filter((item) => typeof item === 'string'));
    return { path, entries, names: hasUnreadable ? undefined : names, complete: entries.length === value.length };
  }

  map<E>(path: Path, read: (name: string, path: Path) => E): Section<E> {
    const value = this.at(path);
    if (!isMap(value)) return this.#noSection(path);
    const names = Object.keys(value);
    const entries = names.map((name) => read(name, [...path, name]));
    return { path, entries, names: new Set(names), complete: true };
  }

  /** An omitted section is empty; one with a value of the wrong type, or a misspelt key, is unreadable. */
  #noSection<E>(path: Path): Section<E> {
    const leftOut = this.at(path) === undefined && !this.#explainsAbsence(path);
    return { path, entries: [], names: leftOut ? new Set() : undefined, complete: leftOut };
  }

  /**
   * Whether a problem explains that nothing is at `path`: one at the path, around it, or at a misspelling of its key.
   */
  #explainsAbsence(path: Path): boolean {
    const isAround = [[], ...path.map((_, depth) => path.slice(0, depth + 1))].some((part) =>
      this.#faulty.has(keyOf(part)),
    );
    const siblings = this.#faultyIn.get(keyOf(path.slice(0, -1))) ?? [];
    return isAround || siblings.some((faulty) => closest(String(faulty.at(-1)), [String(path.at(-1))]) !== undefined);
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}
