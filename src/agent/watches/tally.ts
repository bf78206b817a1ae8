import type { WatchedTarget } from '../../vsys/messages.ts';

/** All times are by the monotonic clock. */
interface SentProbe {
  readonly sequence: number;
  readonly sentAtMs: number;
  /** When it counts as missed, unless something was heard at or after it was sent. */
  readonly deadlineMs: number;
}

/** Judges the probes of one target. */
export interface Tally {
  sent(probe: SentProbe): void;
  /**
   * Records that something came from the target. It answers the probe with that sequence number. Without a number it
   * answers the last probe sent before, which is right unless the round trip takes longer than the time between two
   * probes.
   */
  heard(atMs: number, sequence?: number): void;
  /** Judges the probes that are due by `nowMs`. Call `heard` first for all that had arrived by then. */
  judge(nowMs: number): void;
  /** Counts probes in progress as neither answered nor missed: this process slept and cannot know. */
  forget(): void;
  /** Returns infinity when no probe is in progress. */
  nextDeadlineMs(): number;
  report(nowMs: number): Omit<WatchedTarget, 'name'>;
}

/**
 * Creates a tally. One packet answers one probe, so that the first packet after many lost ones does not make a target
 * count as healthy. The packet does show that the target is alive, so a probe that was lost before it does not count as
 * missed.
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
      // A late answer says more about this process than about the path.
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
