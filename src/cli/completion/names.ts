/** The names that completion offers, from the database and slice files; looking for them changes nothing. */
import { looksLikeFile } from '../../controller/base/slice-argument.ts';
import { VnmError } from '../../model/errors.ts';
import { routerNames } from '../../model/router.ts';
import type { Slice } from '../../model/slice.ts';
import { readSlice } from '../../slicefile/index.ts';
import { isCurrent } from '../../store/database.ts';
import { openStore, type Store } from '../../store/store.ts';
import type { NameKind, Names } from './complete.ts';

const kinds: Readonly<Record<NameKind, (slice: Slice) => readonly string[]>> = {
  placements: ({ vns }) => vns.flatMap(({ placements }) => [...placements.keys()]),
  vns: ({ vns }) => vns.map(({ name }) => name),
  routers: ({ vns }) => vns.flatMap(routerNames),
  nodes: ({ nodes }) => [...nodes.keys()],
  places: ({ vns }) =>
    vns.flatMap((vn) => [...routerNames(vn), ...[...vn.gateways, ...vn.endHosts].map(({ name }) => name)]),
};

/** `database`: its path; one of another version, or none, has no names. */
export function namesIn(database: string): Names {
  const slicesOf = (store: Store) => store.slices.names().map((name) => store.slices.find(name)!);
  return {
    slices: () => look(database, (store) => store.slices.names()),
    jobs: () => look(database, (store) => store.jobs.list().map(({ name }) => name)),
    of: (slice, kind) => {
      if (slice !== undefined && looksLikeFile(slice)) return orNothing(() => kinds[kind](readSlice(slice)));
      return look(database, (store) => {
        const known = slice === undefined ? undefined : store.slices.find(slice);
        return (known === undefined ? slicesOf(store) : [known]).flatMap(kinds[kind]);
      });
    },
  };
}

function look(database: string, names: (store: Store) => readonly string[]): readonly string[] {
  return orNothing(() => {
    if (!isCurrent(database)) return [];
    const store = openStore(database);
    try {
      return names(store);
    } finally {
      store.close();
    }
  });
}

function orNothing(find: () => readonly string[]): readonly string[] {
  try {
    return find();
  } catch (error) {
    // A file with faults, a database of somebody else: a shell has no place for their messages.
    if (error instanceof VnmError) return [];
    throw error;
  }
}
