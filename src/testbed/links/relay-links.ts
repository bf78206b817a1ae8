/** The links of a running relay. */
import { EmulatedLink } from './emulated-link.ts';
import { changeLinks, type DirectedLink, type LinkChange, type LinkPlan, plannedLink } from './properties.ts';
import { readChangedLinks, writeChangedLinks } from './record.ts';

export class RelayLinks {
  readonly #plan: LinkPlan;
  readonly #directory: string;
  /** By `from * nodes + to`; made when it is used first. */
  readonly #links: (EmulatedLink | undefined)[];
  #changed: readonly DirectedLink[];
  /** One change after the other. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(plan: LinkPlan, directory: string) {
    this.#plan = plan;
    this.#directory = directory;
    this.#links = new Array(plan.names.length ** 2);
    this.#changed = readChangedLinks(directory);
    for (const link of this.#changed) this.#put(link);
  }

  /** `from` and `to`: positions of nodes. */
  between(from: number, to: number): EmulatedLink {
    const at = from * this.#plan.names.length + to;
    const known = this.#links[at];
    if (known !== undefined) return known;
    const made = new EmulatedLink(plannedLink(this.#plan, from, to), Math.random);
    this.#links[at] = made;
    return made;
  }

  /** Records the change, then applies it. If it cannot be recorded, nothing changes. */
  change(change: LinkChange): Promise<readonly DirectedLink[]> {
    const done = this.#lastChange.then(async () => {
      const { affected, changed } = changeLinks(this.#plan, this.#changed, change);
      await writeChangedLinks(this.#directory, changed);
      this.#changed = changed;
      for (const link of affected) this.#put(link);
      return affected;
    });
    this.#lastChange = done.catch(() => undefined);
    return done;
  }

  #put({ from, to, ...properties }: DirectedLink): void {
    const { names } = this.#plan;
    this.between(names.indexOf(from), names.indexOf(to)).change(properties);
  }
}
