/**
 * What this node can do, without trying everything out each time. Programs are installed and settings changed while the agent lives: what
 * the node could not do when it was tried out last is tried out again when somebody asks.
 */
import type { Feature } from '../../../vsys/messages.ts';

export interface KnownFeatures {
  /** As things are now. */
  read(): Promise<Feature[]>;
  /** As things were when somebody asked last. */
  has(name: Feature['name']): Promise<boolean>;
}

/** Each answers with the features that it is about. */
export interface FeatureProbes {
  /** Takes a while. */
  readonly tryOut: () => Promise<Feature[]>;
  readonly look: () => Promise<Feature[]>;
}

export function createKnownFeatures({ tryOut, look }: FeatureProbes): KnownFeatures {
  let tried: readonly Feature[] | undefined;
  let trying: Promise<readonly Feature[]> | undefined;

  /** One at a time; a failure is nothing known. */
  async function tryAgain(): Promise<readonly Feature[]> {
    trying ??= tryOut().finally(() => {
      trying = undefined;
    });
    tried = await trying;
    return tried;
  }

  return {
    read: async () => {
      const known = tried?.every(({ available }) => available) ? tried : await tryAgain();
      return [...known, ...(await look())];
    },
    has: async (wanted) => (tried ?? (await tryAgain())).some(({ name, available }) => name === wanted && available),
  };
}
