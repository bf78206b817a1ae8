/** The phases of each migration method, and the stage that each phase is in. */
import { VnmError } from '../../model/errors.ts';
import type { MigrationRecord } from '../../store/migrations.ts';

/** How far an interrupted migration got, which decides how it can continue (migration/journal.ts). */
export type Stage = 'before' | 'redirecting' | 'retiring';

/** Of methods that move routers which are virtual machines, one after the other. */
const guestPhases = {
  'add nodes': 'before',
  'set up': 'before',
  prove: 'before',
  'copy guest': 'before',
  'restore guest': 'before',
  flip: 'redirecting',
  verify: 'redirecting',
  drain: 'redirecting',
  retire: 'retiring',
  'roll back': 'redirecting',
  'remove the new place': 'before',
} as const;

/** In the order in which they begin; the last two undo a migration. */
const phases = {
  instance: {
    'add nodes': 'before',
    'set up': 'before',
    clone: 'before',
    'join gateways': 'before',
    settle: 'before',
    prove: 'before',
    measure: 'before',
    redirect: 'redirecting',
    verify: 'redirecting',
    drain: 'redirecting',
    retire: 'retiring',
    'roll back': 'redirecting',
    'remove the new instance': 'before',
  },
  // Repeated for each group of routers; between two groups, no router is on two nodes.
  vroom: {
    'add nodes': 'before',
    'set up': 'before',
    clone: 'before',
    prove: 'before',
    'move control plane': 'redirecting',
    flip: 'redirecting',
    converge: 'redirecting',
    verify: 'redirecting',
    drain: 'redirecting',
    retire: 'retiring',
    'roll back': 'redirecting',
    'remove the new place': 'before',
  },
  // As `vroom`, for switches, which have no control plane of their own.
  flow: {
    'add nodes': 'before',
    'set up': 'before',
    clone: 'before',
    prove: 'before',
    flip: 'redirecting',
    verify: 'redirecting',
    drain: 'redirecting',
    retire: 'retiring',
    'roll back': 'redirecting',
    'remove the new place': 'before',
  },
  clone: guestPhases,
  live: guestPhases,
} as const satisfies Record<string, Record<string, Stage>>;

/** How a VN is moved; see migration/method.ts. */
export type MethodName = keyof typeof phases;

export const methodNames = Object.keys(phases) as [MethodName, ...MethodName[]];

/** Methods that move routers within the instance, instead of making another one. */
const routerMethods = ['vroom', 'flow', 'clone', 'live'] as const satisfies readonly MethodName[];

export type RouterMethod = (typeof routerMethods)[number];

/** Whether the method moves routers within their instance, one after the other or in groups. */
export function movesRouters(method: MethodName | undefined): method is RouterMethod {
  return (routerMethods as readonly (MethodName | undefined)[]).includes(method);
}

export const usualMethod: MethodName = 'instance';

export type PhaseName = { [M in MethodName]: keyof (typeof phases)[M] }[MethodName];

/** The phases of all methods, each once, in an order that is that of each method. */
export const phaseNames = merged(Object.values(phases).map(Object.keys)) as PhaseName[];

/** A name that is new comes after the one before it in its own list. */
function merged(lists: readonly (readonly string[])[]): string[] {
  const all: string[] = [];
  for (const list of lists) {
    let next = 0;
    for (const name of list) {
      if (!all.includes(name)) all.splice(next, 0, name);
      next = all.indexOf(name) + 1;
    }
  }
  return all;
}

/** Throws VnmError `unsupported` for a method that this program does not know. */
export function methodOf({ options }: Pick<MigrationRecord, 'options'>): MethodName {
  const { method = usualMethod } = JSON.parse(options) as { method?: string };
  if (Object.hasOwn(phases, method)) return method as MethodName;
  throw unknown(`method '${method}'`);
}

/**
 * The stage of the phase that began last. Throws VnmError `unsupported` if this program does not know the phase or the
 * method.
 */
export function stageOf(migration: Pick<MigrationRecord, 'state' | 'options'>): Stage {
  const { state } = migration;
  const stages: Record<string, Stage> = phases[methodOf(migration)];
  if (Object.hasOwn(stages, state)) return stages[state]!;
  throw unknown(`phase '${state}'`);
}

/** The phases that undo a migration. */
const undoing: readonly string[] = ['roll back', 'remove the new instance', 'remove the new place'];

/**
 * How many phases end before this one begins, of how many. Phases that a migration does without count as ended.
 * Undefined for those that undo a migration or are repeated, how often depends on the routers.
 */
export function phasesDone(method: MethodName, phase: string): { parts: number; of: number } | undefined {
  if (method !== 'instance') return undefined;
  const forward = Object.keys(phases[method]).filter((name) => !undoing.includes(name));
  const parts = forward.indexOf(phase);
  return parts < 0 ? undefined : { parts, of: forward.length };
}

function unknown(what: string): VnmError {
  return new VnmError('unsupported', `the migration has the unknown ${what}`, {
    hint: 'use the version of the program that started it',
  });
}
