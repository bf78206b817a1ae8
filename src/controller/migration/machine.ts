/**
 * Decides the next step of a migration after each step that succeeded or failed. Pure: carry-out.ts carries out the
 * steps.
 *
 *     prepare ──► redirect ──────► confirm ──► retire ──► completed
 *        │           │               │  ▲        └─ failed
 *        │           ▼               ▼  └── redirect all (resumed)
 *        │       find gateways ◄─────┘
 *        │           │  └─ failed
 *        ▼           ▼
 *     remove ◄───── send back
 *        │  └─ failed  └─ failed
 *        ▼
 *    rolled-back
 */
import { VnmError } from '../../model/errors.ts';
import type { Outcome } from '../../store/migrations.ts';
import type { Stage } from '../base/phase.ts';

/**
 * `prepare`: makes the new instance and the schedule. `redirect`: redirects each gateway at its instant. `redirect
 * all`: redirects every gateway at once, except those that are redirected already. `confirm`: proves that the end hosts
 * reach each other. `retire`: takes the old instance down. `find gateways`: checks that all gateways are reachable.
 * `send back`: redirects every gateway into the old instance. `remove`: removes the new instance.
 */
export type Step =
  | 'prepare'
  | 'redirect'
  | 'redirect all'
  | 'confirm'
  | 'retire'
  | 'find gateways'
  | 'send back'
  | 'remove';

export interface End {
  readonly outcome: Outcome;
}

const end = (outcome: Outcome): End => ({ outcome });

/** What follows each step, if it is done and if it failed. */
const table = {
  prepare: { done: 'redirect', failed: 'remove' },
  redirect: { done: 'confirm', failed: 'find gateways' },
  'redirect all': { done: 'confirm', failed: 'find gateways' },
  confirm: { done: 'retire', failed: 'find gateways' },
  // The traffic is on the new instance, and the old one may be incomplete: there is no way back from here.
  retire: { done: end('completed'), failed: end('failed') },
  // The state of an unreachable gateway is unknown: both instances stay up.
  'find gateways': { done: 'send back', failed: end('failed') },
  'send back': { done: 'remove', failed: end('failed') },
  remove: { done: end('rolled-back'), failed: end('failed') },
} as const satisfies Record<Step, { readonly done: Step | End; readonly failed: Step | End }>;

export type Event = 'done' | 'failed';

export function next(step: Step, event: Event): Step | End {
  return table[step][event];
}

/** The step from which `resume` continues an interrupted migration. */
export function resumeFrom(stage: Stage): Step {
  return ({ before: 'prepare', redirecting: 'redirect all', retiring: 'retire' } as const)[stage];
}

/**
 * The step from which `rollback` continues one. Throws VnmError `conflict` once the old instance is being taken down.
 */
export function undoFrom(stage: Stage): Step {
  if (stage === 'retiring') throw new VnmError('conflict', 'the old instance is already being taken down');
  return ({ before: 'remove', redirecting: 'send back' } as const)[stage];
}
