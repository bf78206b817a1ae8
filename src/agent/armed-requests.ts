/**
 * Turns what the controller arms into steps for the timing thread, and converts wall-clock instants to monotonic ones,
 * once.
 */
import type { Clock } from '../clock/clock.ts';
import { VnmError } from '../model/errors.ts';
import type { Armable } from '../vsys/armable.ts';
import type { Params, Results } from '../vsys/messages.ts';
import type { Armed } from './armed/armed.ts';
import { type Pinned, pinnedBy } from './dataplane/armable.ts';
import type { DataPlane } from './dataplane/dataplane.ts';

/** What the agent records with each id. */
export interface ArmedContext {
  /** Wall clock minus monotonic clock at the time of arming. */
  readonly wallMinusMonotonicMs: number;
  readonly actions: readonly Armable[];
}

export interface ArmedRequests {
  arm(params: Params<'arm'>): Promise<Results['arm']>;
  cancel(params: Params<'cancel'>): Promise<Results['cancel']>;
  results(params: Params<'armed_results'>): Results['armed_results'];
  /** What no batch may change while something is armed. */
  pinned(): Pinned;
  /** Refuses to arm anything from now on. Throws VnmError `conflict` while something is armed. */
  shutdown(): void;
}

/** How far ahead an instant may be; outcomes are kept as long. */
const horizonMs = 86_400_000;

export function createArmedRequests(armed: Armed<ArmedContext>, dataPlane: DataPlane, clock: Clock): ArmedRequests {
  let isEnding = false;
  /** Requests whose arming is still in progress, by id. */
  const arming = new Map<string, Promise<unknown>>();

  return {
    async arm({ id, at, actions, dryRun }) {
      if (dryRun) {
        await dataPlane.prepare(actions, (steps, batches) => armed.ready(steps, batches));
        return {};
      }
      const wallMinusMonotonicMs = clock.wallMs() - clock.monotonicMs();
      if (at - clock.wallMs() > horizonMs)
        throw new VnmError('invalid-input', `'${id}' cannot be armed: its instant is more than a day ahead`);
      const prepared = dataPlane.prepare(actions, async (steps, batches) => {
        if (isEnding) throw new VnmError('conflict', `'${id}' cannot be armed: the agent is shutting down`);
        const timed = steps.map((step, index) => {
          return { atMonotonicMs: at + actions[index]!.offsetMs - wallMinusMonotonicMs, step };
        });
        await armed.arm(id, timed, { wallMinusMonotonicMs, actions }, batches);
      });
      arming.set(id, prepared);
      try {
        await prepared;
      } finally {
        arming.delete(id);
      }
      return {};
    },
    async cancel({ id }) {
      // Wait: otherwise this could answer that there is nothing to cancel, just before the arming succeeds.
      await arming.get(id)?.catch(() => undefined);
      return { result: await armed.cancel(id) };
    },
    results({ id, forget }) {
      const { outcome, context } = armed.find(id);
      if (forget) armed.forget(id);
      const at = (ms: number) => ms + context.wallMinusMonotonicMs;
      return {
        state: outcome.state,
        actions: outcome.actions.map(({ plannedMonotonicMs, startedMonotonicMs, finishedMonotonicMs, error }) => ({
          plannedAt: at(plannedMonotonicMs),
          ...(startedMonotonicMs === undefined ? {} : { startedAt: at(startedMonotonicMs) }),
          ...(finishedMonotonicMs === undefined ? {} : { finishedAt: at(finishedMonotonicMs) }),
          ...(error === undefined ? {} : { error }),
        })),
      };
    },
    pinned: () => pinnedBy(armed.pending().flatMap(({ context }) => context.actions)),
    shutdown() {
      const ids = armed.pending().map(({ id }) => id);
      if (ids.length > 0) {
        throw new VnmError('conflict', `the agent cannot shut down: '${ids.join("', '")}' is armed`, {
          hint: 'cancel it first, or wait until it has fired',
        });
      }
      isEnding = true;
    },
  };
}
