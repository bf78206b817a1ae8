/** The phases of a migration by its method, and the stage that each is in. */
import { VnmError } from '../../model/errors.ts';
import type { MigrationRecord } from '../../store/migrations.ts';

/** What an interrupted migration has done, and so how it can go on (migration/journal.ts). */
export type Stage = 'before' | 'redirecting' | 'retiring';

/** In the order in which they begin; the last two on the way back. */
const phases = {
  instance: {
    'add nodes': 'before',
    'set up': 'before',
    clone: 'before',
    'join gateways': 'before',
    prove: 'before',
    measure: 'before',
    redirect: 'redirecting',
    verify: 'redirecting',
    drain: 'redirecting',
    retire: 'retiring',
    'roll back': 'redirecting',
    'take the new instance away': 'before',
  },
} as const satisfies Record<string, Record<string, Stage>>;

/** How a VN is moved; see migration/method.ts. */
export type MethodName = keyof typeof phases;

export const usualMethod: MethodName = 'instance';

export type PhaseName = { [M in MethodName]: keyof (typeof phases)[M] }[MethodName];

/** Throws VnmError `unsupported` for a method that this program does not know. */
export function methodOf({ options }: Pick<MigrationRecord, 'options'>): MethodName {
  const { method = usualMethod } = JSON.parse(options) as { method?: string };
  if (Object.hasOwn(phases, method)) return method as MethodName;
  throw unknown(`by the method '${method}'`);
}

/** Of the last phase that was begun. Throws VnmError `unsupported` for one, or a method, that this program does not know. */
export function stageOf(migration: Pick<MigrationRecord, 'state' | 'options'>): Stage {
  const { state } = migration;
  const stages: Record<string, Stage> = phases[methodOf(migration)];
  if (Object.hasOwn(stages, state)) return stages[state]!;
  throw unknown(`in the phase '${state}'`);
}

function unknown(what: string): VnmError {
  return new VnmError('unsupported', `the migration is ${what}, which this program does not know`, {
    hint: 'use the version of the program that began it',
  });
}
