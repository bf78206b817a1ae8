import type { WatchedTarget } from '../../vsys/messages.ts';

/** All times by the monotonic clock. */
interface SentProbe {
  readonly sequence: number;
  readonly sentAtMs: number;
  /** When it is missed, unless something was heard at or after its sending. */
  readonly deadlineMs: number;
}

/** Judges the probes of one target. */
export interface Tally {
  sent(probe: SentProbe): void;
  /**
   * Something came from the target. It answers the probe with that sequence number; without one the last that was sent before, which
   * is the right one unless the way there and back takes longer than the time between two probes.
   */
  heard(atMs: number, sequence?: number): void;
  /** Judges what is due by `nowMs`. All that had arrived by then has to be told before. */
  judge(nowMs: number): void;
  /** What is under way counts as neither answered nor missed: this process slept and cannot know. */
  forget(): void;
  /** Infinity when nothing is under way. */
  nextDeadlineMs(): number;
  report(nowMs: number): Omit<WatchedTarget, 'name'>;
}

/**
 * One packet answers one probe, so that a target is not taken for well by the first packet that comes through after many. It shows
 * all the same that the target lived, so a probe that was lost before it is not missed either.
 */
export function createTally(): Tally {
  const underWay: SentProbe[] = [];
  let sent = 0;
  let answered = 0;
  let missedInRow = 0;
  let answeredInRow = 0;
  let rttMs: number | undefined;
  let lastHeardMs = Number.NEGATIVE_INFINITY;

  return {
    sent(probe) {
      underWay.push(probe);
      sent += 1;
    },
    heard(atMs, sequence) {
      lastHeardMs = atMs;
      missedInRow = 0;
      const index =
        sequence === undefined
          ? underWay.findLastIndex((probe) => probe.sentAtMs < atMs)
          : underWay.findIndex((probe) => probe.sequence === sequence);
      if (index === -1) return;
      const [probe] = underWay.splice(index, 1) as [SentProbe];
      answered += 1;
      answeredInRow += 1;
      // An answer that is read so late tells more of this process than of the way.
      if (atMs <= probe.deadlineMs) rttMs = atMs - probe.sentAtMs;
    },
    judge(nowMs) {
      while (underWay.length > 0 && underWay[0]!.deadlineMs <= nowMs) {
        const { sentAtMs } = underWay.shift()!;
        if (lastHeardMs >= sentAtMs) continue;
        missedInRow += 1;
        answeredInRow = 0;
      }
    },
    forget() {
      underWay.length = 0;
    },
    nextDeadlineMs: () => underWay[0]?.deadlineMs ?? Number.POSITIVE_INFINITY,
    report(nowMs) {
      return {
        sent,
        answered,
        missedInRow,
        answeredInRow,
        ...(rttMs === undefined ? {} : { rttMs }),
        ...(lastHeardMs === Number.NEGATIVE_INFINITY ? {} : { sinceAnswerMs: Math.max(0, nowMs - lastHeardMs) }),
      };
    },
  };
}
