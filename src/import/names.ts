/** Names of nodes and routers that slice files allow, made from the names that other tools allow. */
import { nodeName } from '../slicefile/names.ts';
import { oneLine } from '../slicefile/words.ts';

const maxLength = 32;

/** Makes each name legal, and different from those before it. */
export class LegalNames {
  readonly #taken = new Set<string>();
  readonly #changed: string[] = [];

  /** `New York` becomes `new-york`, and a second one `new-york-2`. */
  legal(name: string): string {
    const found = this.free(name);
    if (found !== name) this.#changed.push(`${oneLine(name)} is ${found}`);
    return found;
  }

  /** A legal name for something that has none yet. */
  free(name: string): string {
    const wanted = legalName(name, 'node');
    let found = wanted;
    for (let count = 2; this.#taken.has(found); count += 1) {
      const suffix = `-${count}`;
      found = `${wanted.slice(0, maxLength - suffix.length)}${suffix}`;
    }
    this.#taken.add(found);
    return found;
  }

  /** The names that became others, as texts. */
  get changed(): readonly string[] {
    return this.#changed;
  }
}

/** A name by the rule for slices, nodes and routers; `otherwise` if nothing of it remains. */
export function legalName(name: string, otherwise: string): string {
  if (nodeName.pattern.test(name)) return name;
  const plain = name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const words = plain.replaceAll(/[^a-z0-9]+/g, '-').replace(/^-/, '');
  return words.slice(0, maxLength).replace(/-$/, '') || otherwise;
}
