/** Monitors the health of everything installed: judges it every interval and records it in the database. */
import type { NodeName } from '../../model/names.ts';
import type { HealthState } from '../../store/health.ts';
import type { NodeFacts } from '../../vsys/messages.ts';
import { defaultRule } from './rule.ts';
import { SliceWatch } from './slice-watch.ts';
import type { HealthOptions, MonitorParts } from './types.ts';

export const defaultHealth: HealthOptions = {
  intervalMs: 250,
  probeTimeoutMs: 500,
  heartbeatTimeoutMs: 750,
  rule: defaultRule,
};

export interface Monitor {
  start(): void;
  stop(): void;
  /** Returns the end of the last round, by the monotonic clock. */
  lastRoundMs(): number;
  agents(): { slice: string; node: NodeName; facts: NodeFacts }[];
  state(slice: string, node: NodeName): HealthState;
}

/** The longest time between two reads of the slices. The list of instances is read in every round. */
const reloadMs = 5000;

export function createMonitor(parts: MonitorParts, options: HealthOptions): Monitor {
  const { store, clock } = parts;
  const slices = new Map<string, SliceWatch>();
  let timer: NodeJS.Timeout | undefined;
  let dueMs = 0;
  let lastMs = clock.monotonicMs();
  let seen = '';
  let reloadedMs = Number.NEGATIVE_INFINITY;

  function reload(nowMs: number): void {
    const instances = store.instances.list().filter(({ state }) => state === 'active');
    const now = instances.map(({ id }) => id).join();
    if (now === seen && nowMs - reloadedMs < reloadMs) return;
    const names = new Set(instances.map(({ slice }) => slice));
    for (const [name, watch] of slices) {
      if (names.has(name)) continue;
      watch.stop();
      slices.delete(name);
      store.health.save(name, []);
    }
    for (const name of names) {
      const slice = store.slices.find(name);
      if (slice === undefined) continue;
      const watch = slices.get(name) ?? new SliceWatch(name, parts, options);
      slices.set(name, watch);
      watch.follow(slice);
    }
    seen = now;
    reloadedMs = nowMs;
  }

  function round(): void {
    const nowMs = clock.monotonicMs();
    const lateMs = nowMs - dueMs;
    if (lateMs > options.intervalMs) for (const watch of slices.values()) watch.forgive(lateMs);
    try {
      reload(nowMs);
    } catch (error) {
      parts.onError(error);
    }
    for (const watch of slices.values()) {
      try {
        watch.round();
      } catch (error) {
        parts.onError(error);
      }
    }
    lastMs = clock.monotonicMs();
    dueMs = lastMs + options.intervalMs;
    timer = setTimeout(afterAnswers, options.intervalMs);
  }

  /** Starts a round after the answers that have already arrived are processed, so that they do not count as missed. */
  function afterAnswers(): void {
    setImmediate(() => {
      if (timer !== undefined) round();
    });
  }

  return {
    start: () => {
      dueMs = clock.monotonicMs();
      timer = setTimeout(afterAnswers, 0);
    },
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
      for (const watch of slices.values()) watch.stop();
    },
    lastRoundMs: () => lastMs,
    agents: () => [...slices.values()].flatMap((watch) => watch.agents()),
    state: (slice, node) => slices.get(slice)?.nodeState(node) ?? 'unknown',
  };
}
