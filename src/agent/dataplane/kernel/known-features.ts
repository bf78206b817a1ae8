/**
 * What this node can do, without trying everything each time. Programs can be installed and settings changed while the
 * agent runs: what failed in the last trial is tried again when someone asks.
 */
import type { Feature } from '../../../vsys/messages.ts';

export interface KnownFeatures {
  /** Returns the present features. */
  read(): Promise<Feature[]>;
  /** As of the last time that someone asked. */
  has(name: Feature['name']): Promise<boolean>;
}

/** Each returns the features that it tests. */
export interface FeatureProbes {
  /** Takes a while. */
  readonly tryOut: () => Promise<Feature[]>;
  readonly look: () => Promise<Feature[]>;
}

export function createKnownFeatures({ tryOut, look }: FeatureProbes): KnownFeatures {
  let tried: readonly Feature[] | undefined;
  let trying: Promise<readonly Feature[]> | undefined;

  /** Tries one at a time; after a failure nothing is known. */
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
