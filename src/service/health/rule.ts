/**
 * When something is up, suspect or down, by probes in a row:
 *
 *               2 missed              4 missed
 *        up ---------------> suspect ---------> down
 *         ^ <--------------'                     |
 *         |     2 answered                       |
 *         '--------------------------------------'
 *                        8 answered
 *
 * `unknown`, as everything is at first, becomes what the probes say. Where nothing can be said, a state stays.
 */
import type { HealthState } from '../../store/health.ts';

/** Probes in a row, as of now: one of the two is 0. */
export interface Evidence {
  readonly missed: number;
  readonly answered: number;
}

export interface Rule {
  readonly suspectAfter: number;
  readonly downAfter: number;
  /** Answers in a row that clear a suspicion. */
  readonly clearAfter: number;
  /** Answers in a row that make something up again that was down. */
  readonly upAfter: number;
}

export const defaultRule: Rule = { suspectAfter: 2, downAfter: 4, clearAfter: 2, upAfter: 8 };

/** The state after what the probes say; the same evidence twice changes nothing. */
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

/** Of several who look at one thing: what answers one of them is there. */
export function best(looks: readonly Evidence[]): Evidence | undefined {
  const [first, ...others] = looks;
  if (first === undefined) return undefined;
  return others.reduce(
    (a, b) => (b.missed < a.missed || (b.missed === a.missed && b.answered > a.answered) ? b : a),
    first,
  );
}
