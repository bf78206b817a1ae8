import type { Position } from '../slicefile/fault.ts';
import type { Remark } from './imported.ts';

/** Counts what is not imported, by kind. */
export class Tally {
  readonly #file: string;
  readonly #counts = new Map<string, { count: number; first: Position }>();

  constructor(file: string) {
    this.#file = file;
  }

  add(kind: string, position: Position, count = 1): void {
    const known = this.#counts.get(kind);
    if (known === undefined) this.#counts.set(kind, { count, first: position });
    else known.count += count;
  }

  /** One remark for each kind, at its first place. */
  remarks(): Remark[] {
    return [...this.#counts].map(([kind, { count, first }]) => {
      const text = `not imported: ${kind}${count === 1 ? '' : ` (${count} times)`}`;
      return { file: this.#file, position: first, text };
    });
  }
}
