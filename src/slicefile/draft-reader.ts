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
  readonly #blamed: readonly Path[];

  /** `problems` are those of the schema in `value`. */
  constructor(value: unknown, problems: readonly Problem[]) {
    this.#value = value;
    this.#blamed = problems.map((problem) => problem.path);
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
    const names = new Set(value.filter((item) => typeof item === 'string'));
    return { path, entries, names, complete: entries.length === value.length };
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
    const leftOut = this.at(path) === undefined && !this.#blamed.some((blamed) => explainsAbsence(blamed, path));
    return { path, entries: [], names: leftOut ? new Set() : undefined, complete: leftOut };
  }
}

/** Whether a problem at `blamed` is why there is nothing at `path`: it is there, around it, or at a misspelling of its key. */
function explainsAbsence(blamed: Path, path: Path): boolean {
  const isAround = blamed.every((step, depth) => step === path[depth]);
  if (isAround || blamed.length !== path.length) return isAround;
  const besideIt = blamed.slice(0, -1).every((step, depth) => step === path[depth]);
  return besideIt && closest(String(blamed.at(-1)), [String(path.at(-1))]) !== undefined;
}
