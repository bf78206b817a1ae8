import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../src/store/store.ts';

/** A temporary database; `remove` closes it and deletes its files. */
export function temporaryStore(): { readonly store: Store; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-store-'));
  const store = openStore(join(directory, 'vnm.db'));
  return {
    store,
    remove: () => {
      store.close();
      rmSync(directory, { recursive: true });
    },
  };
}
