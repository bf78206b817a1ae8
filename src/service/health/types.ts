/** The types that the monitor and the watch of a slice share. */

import type { Clock } from '../../clock/clock.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import type { HealthKind, HealthState } from '../../store/health.ts';
import type { Store } from '../../store/store.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { NodeFacts } from '../../vsys/messages.ts';
import type { Rule } from './rule.ts';

export interface HealthOptions {
  /** The time between two probes, and between two heartbeats. */
  readonly intervalMs: number;
  /** The shortest timeout of a probe; long paths get more. */
  readonly probeTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly rule: Rule;
}

export interface MonitorParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Opens a channel to the agent of a node, even of one that is known to be unreachable. */
  readonly connect: (slice: Slice, node: NodeName) => Promise<AgentConnection>;
  readonly onChange: (change: HealthChange) => void;
  /** Called on the first channel to an agent that was started since the previous channel. */
  readonly onAgentStarted: (slice: Slice, node: NodeName, facts: NodeFacts) => void;
  /** Called with an error of one round; the next round comes all the same. */
  readonly onError: (error: unknown) => void;
}

export interface HealthChange {
  readonly slice: Slice;
  /** '' for a node. */
  readonly vn: string;
  readonly kind: HealthKind;
  readonly name: string;
  readonly from: HealthState;
  readonly to: HealthState;
  /** The time in the previous state. */
  readonly afterMs: number;
  readonly cause: string;
}
