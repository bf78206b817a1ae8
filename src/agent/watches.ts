/** Watches: light probes that this node sends continuously, so that a controller notices failures early. */
import type { Clock } from '../clock/clock.ts';
import type { Params, Results } from '../vsys/messages.ts';
import type { Endpoints } from './dataplane/endpoints.ts';
import { tooManyWatches, unknownWatch } from './watches/errors.ts';
import { watchPrefix } from './watches/packet.ts';
import { openWatch, type Watch } from './watches/watch.ts';

/** The most watches of one agent. With all their targets they have about two thousand sockets. */
export const maxWatches = 8;

/** How long a watch runs without a request: its controller has gone. */
const idleSeconds = 60;

export interface Watches {
  /** Begins or changes a watch. Throws VnmError `not-found` (the address `from`), `forbidden`. */
  watch(params: Params<'watch'>): Promise<Results['watch']>;
  report(): Promise<Results['watch_report']>;
  /** Throws VnmError `not-found`. */
  stop(params: Params<'watch_stop'>): Promise<Results['watch_stop']>;
  /** Ends all watches; the last call. */
  closeAll(): Promise<void>;
}

interface Kept {
  readonly watch: Watch;
  /** Counted by the timer, not by the clock: while this process is stopped no controller can ask. */
  idleSeconds: number;
}

export function createWatches(
  endpoints: Pick<Endpoints, 'openUdp'>,
  slice: string,
  clock: Pick<Clock, 'monotonicMs'>,
): Watches {
  const watches = new Map<string, Kept>();
  const prefix = watchPrefix(slice);
  const idleCheck = setInterval(endIdle, 1000).unref();
  let last: Promise<unknown> = Promise.resolve();

  /** Runs one body after the other, so that no id is used twice. */
  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = last.then(body);
    last = turn.catch(() => {});
    return turn;
  }

  async function end(id: string): Promise<void> {
    const kept = watches.get(id);
    if (kept === undefined) throw unknownWatch(id);
    watches.delete(id);
    await kept.watch.close();
  }

  function endIdle(): void {
    for (const [id, kept] of watches) {
      kept.idleSeconds += 1;
      if (kept.idleSeconds >= idleSeconds) void end(id);
    }
  }

  return {
    watch: (params) =>
      inTurn(async () => {
        const { id, from } = params;
        const kept = watches.get(id);
        if (kept?.watch.from === from) {
          kept.idleSeconds = 0;
          kept.watch.change(params);
          return { port: kept.watch.port };
        }
        if (kept === undefined && watches.size >= maxWatches) throw tooManyWatches(id, maxWatches);
        const watch = await openWatch(endpoints, params, prefix, clock);
        watches.set(id, { watch, idleSeconds: 0 });
        await kept?.watch.close();
        return { port: watch.port };
      }),
    async report() {
      for (const kept of watches.values()) kept.idleSeconds = 0;
      return { watches: [...watches.values()].map(({ watch }) => watch.report()) };
    },
    stop: ({ id }) =>
      inTurn(async () => {
        await end(id);
        return {};
      }),
    closeAll: () =>
      inTurn(async () => {
        clearInterval(idleCheck);
        await Promise.all([...watches.keys()].map(end));
      }),
  };
}
