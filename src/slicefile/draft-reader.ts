import type { Problem } from './fault.ts';
import { isMap, type Path, valueAt } from './path.ts';
import { closest } from './words.ts';

/** A name and where it stands. */
export interface Reference {
  readonly name: string;
  readonly path: Path;
}

/** A list or map of the file. */
export interface Section<E> {
  readonly path: Path;
  readonly entries: readonly E[];
  /** The names it declares; undefined when the section cannot be read, and then no name counts as unknown. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether `entries` holds all that is in the file. */
  readonly complete: boolean;
}

/** Reads what is there and leaves out what is of another kind than it should be: that is a fault already. */
export class DraftReader {
  readonly #value: unknown;
  /** Paths of problems, as text, and the last steps of those with the same parent. */
  readonly #blamed: ReadonlySet<string>;
  readonly #blamedBeside: ReadonlyMap<string, readonly Path[]>;

  /** `problems` are those of the schema in `value`. */
  constructor(value: unknown, problems: readonly Problem[]) {
    this.#value = value;
    const blamed = problems.map(({ path }) => path);
    this.#blamed = new Set(blamed.map(keyOf));
    this.#blamedBeside = Map.groupBy(blamed, (path) => keyOf(path.slice(0, -1)));
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
    // A name that YAML reads as a number is a fault already; what refers to it is none.
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

  /** A section that the file leaves out is empty; one that has another kind of value, or a misspelt key, is unknown. */
  #noSection<E>(path: Path): Section<E> {
    const leftOut = this.at(path) === undefined && !this.#explainsAbsence(path);
    return { path, entries: [], names: leftOut ? new Set() : undefined, complete: leftOut };
  }

  /** Whether a problem is why there is nothing at `path`: it is there, around it, or at a misspelling of its key. */
  #explainsAbsence(path: Path): boolean {
    const isAround = [[], ...path.map((_, depth) => path.slice(0, depth + 1))].some((part) =>
      this.#blamed.has(keyOf(part)),
    );
    const beside = this.#blamedBeside.get(keyOf(path.slice(0, -1))) ?? [];
    return isAround || beside.some((blamed) => closest(String(blamed.at(-1)), [String(path.at(-1))]) !== undefined);
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}
