/**
 * The content of a file to import, as values with positions. Formats read it by `Part`, which remembers what was read:
 * what remains is listed, so that no key and no element is dropped in silence.
 */
import type { VnmError } from '../model/errors.ts';
import type { Position } from '../slicefile/fault.ts';
import { quote } from '../slicefile/words.ts';
import { faultAt } from './fault.ts';
import type { Remark } from './imported.ts';
import { Tally } from './tally.ts';

type Step = string | number;

/** A file as values: maps (also XML elements), lists, texts, numbers, booleans and null. */
export interface Tree {
  readonly file: string;
  readonly root: unknown;
  /** The position of the value at a path, or of the nearest value around it. */
  readonly positionOf: (path: readonly Step[]) => Position;
}

interface Visit {
  readonly read: Set<string>;
  /** The part of the kind for every key of a map with free names. */
  word?: string;
}

/** A value of a file, its path, and how it is reported. */
export class Part {
  readonly value: unknown;
  readonly path: readonly Step[];
  readonly #kind: string;
  readonly #tree: Tree;
  readonly #visits: Map<object, Visit>;

  private constructor(tree: Tree, visits: Map<object, Visit>, value: unknown, path: readonly Step[], kind: string) {
    this.#tree = tree;
    this.#visits = visits;
    this.value = value;
    this.path = path;
    this.#kind = kind;
  }

  static rootOf(tree: Tree): Part {
    return new Part(tree, new Map(), tree.root, [], '');
  }

  /** The same value, of which nothing is read yet. */
  again(): Part {
    return new Part(this.#tree, new Map(), this.value, this.path, this.#kind);
  }

  get position(): Position {
    return this.#tree.positionOf(this.path);
  }

  get file(): string {
    return this.#tree.file;
  }

  isMap(): boolean {
    return this.value instanceof Map;
  }

  has(key: string): boolean {
    return this.value instanceof Map && this.value.has(key);
  }

  /** The value of a key, which counts as read; undefined if there is none, or only `null`. */
  get(key: string): Part | undefined {
    if (!(this.value instanceof Map)) return undefined;
    this.#visit().read.add(key);
    const value: unknown = this.value.get(key);
    return value === undefined || value === null ? undefined : this.#child(key, value, key);
  }

  /** All keys of a map whose names are free, with their values; `word` stands for the names, like HOST. */
  entries(word: string): [name: string, part: Part][] {
    if (this.value === null) return [];
    if (!(this.value instanceof Map)) throw this.fault(`expected a map of ${word.toLowerCase()} names`);
    this.#visit().word = word;
    return [...this.value].map(([name, value]) => [String(name), this.#child(String(name), value, word)]);
  }

  /** The entries of a list; one value that is no list counts as a list of one. */
  items(): Part[] {
    if (this.value === null || this.value === undefined) return [];
    if (!Array.isArray(this.value)) return [this];
    this.#visits.set(this.value, { read: new Set() });
    return this.value.map((value, index) => this.#child(index, value, ''));
  }

  /** All child elements of an XML element with this name. */
  all(element: string): Part[] {
    return this.get(element)?.items() ?? [];
  }

  /** Counts all below as read; something else lists it. */
  skip(): void {
    const { value } = this;
    if (value instanceof Map) for (const [, part] of this.entries('')) part.skip();
    else if (Array.isArray(value)) for (const part of this.items()) part.skip();
  }

  /** A text, or a number or boolean as text. Throws VnmError `invalid-input` for a map or a list. */
  text(): string {
    const { value } = this;
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
    // An XML element with attributes or child elements, whose text is wanted.
    if (value instanceof Map && typeof value.get('#text') === 'string') return this.get('#text')!.text();
    throw this.fault(`expected text, found ${Array.isArray(value) ? 'a list' : 'a map'}`);
  }

  /** The text of a key; undefined if there is none or it is empty. */
  textOf(key: string): string | undefined {
    const text = this.get(key)?.text().trim();
    return text === '' ? undefined : text;
  }

  /** The first of these keys that has a text. */
  textOfFirst(keys: readonly string[]): string | undefined {
    return keys.map((key) => this.textOf(key)).find((text) => text !== undefined);
  }

  /** A finite number at a key; undefined if there is none. Throws VnmError `invalid-input` for other text. */
  numberOf(key: string): number | undefined {
    const text = this.textOf(key);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (Number.isFinite(number)) return number;
    throw this.get(key)!.fault(`expected a number, found ${quote(text)}`);
  }

  /** An error about this value, with its place in the file. */
  fault(message: string, hint?: string): VnmError {
    const step = this.path.at(-1);
    const key = typeof step === 'string' ? `${quote(step.replace(/^[@#]/, ''))}: ` : '';
    return faultAt(this.file, this.position, `${key}${message}`, hint);
  }

  /** What no format read, here and below, in the order of the file. */
  unread(): Remark[] {
    const found = new Map<string, { count: number; path: readonly Step[] }>();
    this.#collect((kind, path) => {
      const known = found.get(kind);
      if (known === undefined) found.set(kind, { count: 1, path });
      else known.count += 1;
    });
    const tally = new Tally(this.file);
    for (const [kind, { count, path }] of found) tally.add(kind, this.#tree.positionOf(path), count);
    return tally.remarks();
  }

  #collect(note: (kind: string, path: readonly Step[]) => void): void {
    if (this.value === null || typeof this.value !== 'object') return;
    const visit = this.#visits.get(this.value);
    if (visit === undefined) {
      note(this.#kind, this.path);
      return;
    }
    if (Array.isArray(this.value)) {
      this.value.forEach((value, index) => {
        this.#child(index, value, '').#collect(note);
      });
      return;
    }
    for (const [name, value] of this.value as Map<unknown, unknown>) {
      const key = String(name);
      const child = this.#child(key, value, visit.word ?? key);
      if (visit.word !== undefined || visit.read.has(key)) child.#collect(note);
      else note(child.#kind, child.path);
    }
  }

  #visit(): Visit {
    const map = this.value as Map<unknown, unknown>;
    const known = this.#visits.get(map) ?? { read: new Set<string>() };
    this.#visits.set(map, known);
    return known;
  }

  #child(step: Step, value: unknown, word: string): Part {
    const kind =
      word === '' ? this.#kind : `${this.#kind}${this.#kind === '' || word.startsWith('@') ? '' : '.'}${word}`;
    return new Part(this.#tree, this.#visits, value, [...this.path, step], kind);
  }
}
