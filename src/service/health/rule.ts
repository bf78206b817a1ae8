/**
 * The states up, suspect and down, by consecutive probes:
 *
 *               2 missed              4 missed
 *        up ---------------> suspect ---------> down
 *         ^ <--------------'                     |
 *         |     2 answered                       |
 *         '--------------------------------------'
 *                        8 answered
 *
 * Everything is `unknown` at first, and takes the state that the probes show. Without evidence a state stays.
 */
import type { HealthState } from '../../store/health.ts';

/** The latest consecutive probes: one of the two numbers is 0. */
export interface Evidence {
  readonly missed: number;
  readonly answered: number;
}

export interface Rule {
  readonly suspectAfter: number;
  readonly downAfter: number;
  /** The answers in a row that turn suspect into up. */
  readonly clearAfter: number;
  /** The answers in a row that turn down into up. */
  readonly upAfter: number;
}

export const defaultRule: Rule = { suspectAfter: 2, downAfter: 4, clearAfter: 2, upAfter: 8 };

/** Returns the state after the evidence. Applying the same evidence twice changes nothing. */
export function advance(state: HealthState, evidence: Evidence | undefined, rule: Rule): HealthState {
  if (evidence === undefined) return state;
  const { missed, answered } = evidence;
  if (missed >= rule.downAfter) return 'down';
  if (missed >= rule.suspectAfter) return state === 'down' ? 'down' : 'suspect';
  if (state === 'unknown') return answered > 0 ? 'up' : 'unknown';
  if (state === 'suspect') return answered >= rule.clearAfter ? 'up' : 'suspect';
  if (state === 'down') return answered >= rule.upAfter ? 'up' : 'down';
  return 'up';
}

/** Returns the most favourable evidence: a thing that answers one of several watchers is up. */
export function best(candidates: readonly Evidence[]): Evidence | undefined {
  const [first, ...others] = candidates;
  if (first === undefined) return undefined;
  return others.reduce(
    (a, b) => (b.missed < a.missed || (b.missed === a.missed && b.answered > a.answered) ? b : a),
    first,
  );
}
