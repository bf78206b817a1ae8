/** What the health of everything and of one slice share. */

import type { Clock } from '../../clock/clock.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import type { HealthKind, HealthState } from '../../store/health.ts';
import type { Store } from '../../store/store.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { NodeFacts } from '../../vsys/messages.ts';
import type { Rule } from './rule.ts';

export interface HealthOptions {
  /** Between two probes of everything, and two heartbeats. */
  readonly intervalMs: number;
  /** The least time that an answer to a probe may take; long paths get more. */
  readonly probeTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly rule: Rule;
}

export interface MonitorParts {
  readonly store: Store;
  readonly clock: Clock;
  /** A channel to the agent of a node, even if it is known to be unreachable. */
  readonly connect: (slice: Slice, node: NodeName) => Promise<AgentConnection>;
  readonly onChange: (change: HealthChange) => void;
  /** The first channel to an agent that was started since the last one. */
  readonly onAgentStarted: (slice: Slice, node: NodeName, facts: NodeFacts) => void;
  /** What went wrong in one round; the next one comes. */
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
  /** How long it was in the state before, in ms. */
  readonly afterMs: number;
  readonly cause: string;
}
