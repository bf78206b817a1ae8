/** What each kind of armed step acts on. */
import type { Armable, ArmableKind } from '../../vsys/armable.ts';
import type { Params } from '../../vsys/messages.ts';

interface Subjects {
  readonly groups: Params<'redirect'>['groups'];
  /** Names of the interfaces that have the gates. */
  readonly gates: readonly string[];
}

/** What must not change while steps are armed that need it. */
export interface Pinned {
  readonly nexthops: ReadonlySet<number>;
  readonly gates: ReadonlySet<string>;
}

/** One function per kind. */
export type ByKind<Result> = {
  readonly [Kind in ArmableKind]: (armable: Extract<Armable, { kind: Kind }>) => Result;
};

const none: Subjects = { groups: [], gates: [] };

const subjects: ByKind<Subjects> = {
  redirect: ({ groups }) => ({ groups, gates: [] }),
  gate_close: ({ interface: name }) => ({ groups: [], gates: [name] }),
  gate_open: ({ interface: name }) => ({ groups: [], gates: [name] }),
  flow: () => none,
  neighbour: () => none,
};

export function forKind<Result>(byKind: ByKind<Result>, armable: Armable): Result {
  return (byKind[armable.kind] as (armable: Armable) => Result)(armable);
}

export function subjectsOf(armable: Armable): Subjects {
  return forKind(subjects, armable);
}

export function pinnedBy(armables: readonly Armable[]): Pinned {
  const all = armables.map(subjectsOf);
  return {
    nexthops: new Set(all.flatMap(({ groups }) => groups.flatMap(({ id, active }) => [id, active]))),
    gates: new Set(all.flatMap(({ gates }) => gates)),
  };
}
