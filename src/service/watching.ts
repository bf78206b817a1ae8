/** Health and repair: records, reports and repairs what the watches find. */

import { systemClock } from '../clock/clock.ts';
import type { Connections } from '../controller/base/connections.ts';
import type { Context } from '../controller/base/context.ts';
import { withAgents } from '../controller/nodes/agents.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import type { AgentConnection } from '../transport/agent-connection.ts';
import { adviceFor } from './dead-nodes.ts';
import { createMonitor, defaultHealth, type Monitor } from './health/monitor.ts';
import type { HealthChange } from './health/types.ts';
import { lateWriter } from './late-writer.ts';
import type { Log } from './log.ts';
import { createRepairer, defaultRepair, type RepairOutcome } from './repair.ts';

/** The context of the whole run of the service. */
export type ServiceContext = Context & { readonly connections: Connections; readonly signal: AbortSignal };

/** Callbacks that count for the metrics. */
export interface WatchingCounts {
  readonly healthChanged: (change: HealthChange) => void;
  readonly repaired: (slice: string, outcome: RepairOutcome) => void;
}

export interface Watching {
  readonly monitor: Monitor;
  /** Waits for work in progress to end. The signal must have aborted. */
  ended(): Promise<void>;
}

export function startWatching(context: ServiceContext, log: Log, counts: WatchingCounts): Watching {
  const { store, connections, signal } = context;
  const writer = lateWriter((err) =>
    log.warn('database-busy', `cannot write events yet, retrying: ${messageOf(err)}`, { err }),
  );
  const repairer = createRepairer(
    {
      context: { ...context, report: () => {} },
      now: Date.now,
      record: (slice, kind, message, detail) => writer.write(() => store.events.add(slice, kind, message, detail)),
      signal,
      onOutcome: counts.repaired,
      onError: (slice, err) => log.warn('audit-failed', `cannot check the nodes: ${messageOf(err)}`, { slice, err }),
    },
    defaultRepair,
  );

  function onChange(change: HealthChange): void {
    const { slice, vn, kind, name, to, cause } = change;
    const message = `${describe(change)}: ${cause}`;
    const advice = kind === 'node' && to === 'down' ? advise(slice, name) : [];
    const words = [message, ...advice].join('; ');
    const detail = { vn, kind, name, from: change.from, to, cause };
    // No event when the first check finds a thing up.
    if (change.from !== 'unknown' || to !== 'up')
      writer.write(() => store.events.add(slice.name, `health-${to}`, words, detail));
    log[to === 'up' ? 'info' : 'warn']('health', words, { slice: slice.name, ...(vn === '' ? {} : { vn }) });
    counts.healthChanged(change);
    if (kind === 'node') markNode(change);
    if (to === 'suspect' || to === 'down') repairer.check(slice.name, message);
    if (to === 'up' && change.from === 'down') repairer.check(slice.name, message);
  }

  /** Returns no advice while the database is busy: the report that the node is down must not wait for it. */
  function advise(slice: Slice, node: NodeName): string[] {
    try {
      return adviceFor(store, slice, node);
    } catch (err) {
      log.warn('database-busy', messageOf(err), { err });
      return [];
    }
  }

  /** Marks a node that is down, so that commands do not wait for it. */
  function markNode({ slice, name, to, cause }: HealthChange): void {
    if (to === 'down')
      connections.markUnreachable(slice.name, name, new VnmError('unreachable', `node '${name}' is down: ${cause}`));
    else if (to === 'up') connections.markReachable(slice.name, name);
  }

  /** Connects to a node. If it is marked unreachable, a separate connection shows first whether it is back. */
  async function connect(slice: Slice, node: NodeName): Promise<AgentConnection> {
    if (connections.markOf(slice.name, node) !== undefined) {
      const { connections: _, ...alone } = context;
      await withAgents(alone, slice, [node], async () => {});
      connections.markReachable(slice.name, node);
    }
    return withAgents(context, slice, [node], async (agents) => agents.get(node));
  }

  const monitor = createMonitor(
    {
      store,
      clock: systemClock,
      connect,
      onChange,
      onAgentStarted: (slice, node) => {
        const message = `the agent of ${node} was restarted`;
        writer.write(() => store.events.add(slice.name, 'agent-started', message, { node }));
        log.warn('agent-started', message, { slice: slice.name, node });
        repairer.check(slice.name, message);
      },
      onError: (err) => log.warn('health-failed', `health check failed: ${messageOf(err)}`, { err }),
    },
    defaultHealth,
  );
  monitor.start();

  return {
    monitor,
    ended: async () => {
      monitor.stop();
      await repairer.ended();
      writer.close();
    },
  };
}

function describe({ vn, kind, name, to, afterMs, from }: HealthChange): string {
  const what = kind === 'node' ? `node '${name}'` : `${kind} ${name} of VN '${vn}'`;
  const after = to === 'up' && from === 'down' ? ` again after ${(afterMs / 1000).toFixed(1)} s` : '';
  return `${what} is ${to}${after}`;
}
