/**
 * How long one waits for a node: the one place where the limits of all steps come from. All are multiples of the node's patience,
 * which the slice file says (`ssh: { patience: 60 }`), or the node itself has shown by how long it took before.
 */

export const usualPatienceS = 10;
/** What a slice file may say, s. */
export const patienceRangeS = [1, 3600] as const;

/** How long a node waits for `confirm`, ms; one whose rules have cut it off cannot be reached meanwhile. */
const shortestConfirmMs = 10_000;
export const longestConfirmMs = 600_000;

/** Ms. */
export interface TimeLimits {
  /** TCP connection, key exchange and login together. */
  readonly loginMs: number;
  /** Until the server answers that it runs a command. */
  readonly openMs: number;
  /** From one sign of life of the connection to the next; after three unanswered ones it counts as lost. */
  readonly keepaliveMs: number;
  /** One command on the node: what is there, does a program run. */
  readonly stepMs: number;
  /** A file, of which a Node.js runtime is the largest. */
  readonly copyMs: number;
  /** The agent's first answer, its start included. */
  readonly startMs: number;
  /** Until the node has heard that its answer to what may cut the way to it arrived. */
  readonly confirmMs: number;
  /** One request to the agent. */
  readonly answerMs: number;
  /** Any answer of the agent, while a request is under way. */
  readonly silenceMs: number;
  /** A question that the agent answers at once. */
  readonly questionMs: number;
  /** A question for which the agent asks others. */
  readonly inquiryMs: number;
}

export function timeLimits(patienceS: number = usualPatienceS): TimeLimits {
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

/** `60 s`, `0.3 s`. */
export function secondsText(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

/** A node's patience is ten times what its survey took, but not less than was meant, nor more than three times that: it may be hostile. */
export function shownPatienceS(patienceS: number, surveyMs: number): number {
  return Math.min(Math.max(patienceS, (10 * surveyMs) / 1000), 3 * patienceS);
}
