import type { Clock } from '../../clock/clock.ts';
import type { Params, WatchReport } from '../../vsys/messages.ts';
import type { Endpoints } from '../dataplane/endpoints.ts';
import { createEcho } from './echo.ts';
import { createProber, type Prober, type Target } from './prober.ts';

export interface Watch {
  readonly from: string;
  /** The port where it answers watchers. */
  readonly port: number;
  /** Changes targets and times. Targets that stay the same continue. */
  change(params: Params<'watch'>): void;
  report(): WatchReport;
  close(): Promise<void>;
}

interface Watched {
  readonly name: string;
  readonly prober: Prober;
}

/**
 * Sends a round of probes every interval, the first at once. Rejects as `UdpEndpoint.bound` does.
 *
 * A busy or stopped process does not count as misses. All work is done in the turn of the event loop after the timer,
 * when waiting packets have been read. When the timer is late by more than an interval, probes in progress are
 * forgotten.
 */
export async function openWatch(
  endpoints: Pick<Endpoints, 'openUdp'>,
  params: Params<'watch'>,
  prefix: Buffer,
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<Watch> {
  const { id, from } = params;
  const echo = createEcho(endpoints, from, prefix, clock);
  const port = await echo.port.catch(async (error: unknown) => {
    await echo.close();
    throw error;
  });
  let { intervalMs, timeoutMs } = params;
  let watched: ReadonlyMap<string, Watched> = new Map();
  let nextRoundMs = clock.monotonicMs();
  let plannedMs = nextRoundMs;
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;

  function sleep(): void {
    clearTimeout(timer);
    plannedMs = nextRoundMs;
    for (const { prober } of watched.values()) plannedMs = Math.min(plannedMs, prober.tally.nextDeadlineMs());
    timer = setTimeout(wake, Math.max(1, Math.ceil(plannedMs - clock.monotonicMs())));
  }

  function wake(): void {
    const nowMs = clock.monotonicMs();
    turn = setImmediate(takeTurn, nowMs, nowMs - plannedMs > intervalMs);
  }

  function takeTurn(wokenMs: number, isLate: boolean): void {
    echo.tend();
    for (const { prober } of watched.values()) {
      if (isLate) prober.tally.forget();
      else prober.tally.judge(wokenMs);
    }
    if (wokenMs >= nextRoundMs) {
      for (const { prober } of watched.values()) prober.probe(timeoutMs);
      nextRoundMs = (isLate ? wokenMs : nextRoundMs) + intervalMs;
    }
    sleep();
  }

  function take(targets: readonly Target[]): void {
    const before = watched;
    watched = new Map(
      targets.map((target) => {
        const key = `${target.name} ${target.to} ${target.port ?? ''}`;
        return [
          key,
          before.get(key) ?? { name: target.name, prober: createProber(endpoints, from, target, prefix, clock) },
        ];
      }),
    );
    for (const [key, { prober }] of before) if (!watched.has(key)) void prober.close();
  }

  take(params.targets);
  sleep();

  return {
    from,
    port,
    change(changed) {
      ({ intervalMs, timeoutMs } = changed);
      nextRoundMs = Math.min(nextRoundMs, clock.monotonicMs() + intervalMs);
      take(changed.targets);
      sleep();
    },
    report() {
      const nowMs = clock.monotonicMs();
      const targets = [...watched.values()].map(({ name, prober }) => ({ name, ...prober.tally.report(nowMs) }));
      return { id, port, targets };
    },
    async close() {
      clearTimeout(timer);
      clearImmediate(turn);
      await Promise.all([echo, ...[...watched.values()].map(({ prober }) => prober)].map((part) => part.close()));
    },
  };
}
