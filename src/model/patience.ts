/**
 * All time limits for a node. They are multiples of the node's patience, which the slice file sets
 * (`ssh: { patience: 60 }`), or which was observed from how long the node took before.
 */

export const defaultPatienceS = 10;
/** The range of patience in a slice file, s. */
export const patienceRangeS = [1, 3600] as const;

/** How long a node waits for `confirm`, ms; a node that its own rules cut off is unreachable for this time. */
const shortestConfirmMs = 10_000;
export const longestConfirmMs = 600_000;

/** Time limits in ms. */
export interface TimeLimits {
  /** TCP connection, key exchange and login together. */
  readonly loginMs: number;
  /** Until the server confirms that it runs a command. */
  readonly openMs: number;
  /** Between two keepalives; after three without a reply the connection counts as lost. */
  readonly keepaliveMs: number;
  /** One command on the node, such as a survey or a check that a program runs. */
  readonly stepMs: number;
  /** Copying one file; the largest is a Node.js runtime. */
  readonly copyMs: number;
  /** Until the agent's first response, including its start. */
  readonly startMs: number;
  /** How long the node waits for `confirm` after a change that may cut it off. */
  readonly confirmMs: number;
  /** One request to the agent. */
  readonly answerMs: number;
  /** Until any message from the agent while a request is pending. */
  readonly silenceMs: number;
  /** A request that the agent answers immediately. */
  readonly questionMs: number;
  /** A request for which the agent queries others. */
  readonly inquiryMs: number;
}

export function timeLimits(patienceS: number = defaultPatienceS): TimeLimits {
  const times = (factor: number) => Math.round(patienceS * factor * 1000);
  return {
    loginMs: times(1),
    openMs: times(1),
    keepaliveMs: times(0.5),
    stepMs: times(6),
    copyMs: times(60),
    startMs: times(6),
    confirmMs: Math.min(Math.max(times(1), shortestConfirmMs), longestConfirmMs),
    answerMs: times(12),
    silenceMs: times(3),
    questionMs: times(0.5),
    inquiryMs: times(1),
  };
}

/** Formats a duration like `60 s` or `0.3 s`. */
export function secondsText(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

/**
 * The patience of a node, from how long its survey took: ten times that, but at least `patienceS` and at most three
 * times it, because the node may be hostile.
 */
export function observedPatienceS(patienceS: number, surveyMs: number): number {
  return Math.min(Math.max(patienceS, (10 * surveyMs) / 1000), 3 * patienceS);
}
