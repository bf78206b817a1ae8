/**
 * What a migration does next, after each step that has ended well or badly. Pure: the orchestrator (carry-out.ts) carries the steps out.
 *
 *     prepare ──► redirect ──────► confirm ──► retire ──► completed
 *        │           │               │  ▲        └─ failed
 *        │           ▼               ▼  └── redirect all (resumed)
 *        │       find gateways ◄─────┘
 *        │           │  └─ failed
 *        ▼           ▼
 *    take away ◄── send back
 *        │  └─ failed  └─ failed
 *        ▼
 *    rolled-back
 */
import { VnmError } from '../../model/errors.ts';
import type { Outcome } from '../../store/migrations.ts';
import type { Stage } from '../base/phase.ts';

/**
 * `prepare`: the new instance, up to the measured schedule. `redirect`: each gateway at its instant. `redirect all`: every gateway at
 * once, those that are there already stay. `confirm`: the end hosts reach each other. `retire`: the old instance goes. `find gateways`:
 * whether all can be asked. `send back`: every gateway into the old instance. `take away`: the new instance goes.
 */
export type Step =
  | 'prepare'
  | 'redirect'
  | 'redirect all'
  | 'confirm'
  | 'retire'
  | 'find gateways'
  | 'send back'
  | 'take away';

export interface End {
  readonly outcome: Outcome;
}

const end = (outcome: Outcome): End => ({ outcome });

/** What follows a step that was done, and one that failed. */
const table = {
  prepare: { done: 'redirect', failed: 'take away' },
  redirect: { done: 'confirm', failed: 'find gateways' },
  'redirect all': { done: 'confirm', failed: 'find gateways' },
  confirm: { done: 'retire', failed: 'find gateways' },
  // The traffic is on the new instance, and the old one may not be whole any more: there is no way back from here.
  retire: { done: end('completed'), failed: end('failed') },
  // The state of an unreachable gateway is unknown: both instances stay up.
  'find gateways': { done: 'send back', failed: end('failed') },
  'send back': { done: 'take away', failed: end('failed') },
  'take away': { done: end('rolled-back'), failed: end('failed') },
} as const satisfies Record<Step, { readonly done: Step | End; readonly failed: Step | End }>;

export type Event = 'done' | 'failed';

export function next(step: Step, event: Event): Step | End {
  return table[step][event];
}

/** Where an interrupted migration goes on that is to be finished. */
export function resumeFrom(stage: Stage): Step {
  return ({ before: 'prepare', redirecting: 'redirect all', retiring: 'retire' } as const)[stage];
}

/** Where one goes on that is to be undone. Throws VnmError `conflict` once the old instance goes. */
export function undoFrom(stage: Stage): Step {
  if (stage === 'retiring') throw new VnmError('conflict', 'the old instance is being taken down already');
  return ({ before: 'take away', redirecting: 'send back' } as const)[stage];
}
