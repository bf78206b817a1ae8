import { systemClock } from '../../clock/clock.ts';
import {
  agree,
  bestEstimate,
  boundAt,
  type ClockEstimate,
  type EstimateSource,
  estimateByExchanges,
} from '../../clock/exchange.ts';
import { readUtc } from '../../clock/read-utc.ts';
import { estimatesByUtc, type UtcReport } from '../../clock/utc.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice } from '../../model/slice.ts';
import type { Agents } from './agents.ts';

/** A node's clock relative to the controller's, from the source with the smallest bound. */
export interface NodeClock extends ClockEstimate {
  /** Round trip of the shortest exchange on the open channel: no command of the controller takes less. */
  readonly roundTripMs: number;
  /** Why sources of UTC could not be used. */
  readonly errors: readonly string[];
}

/** The controller's own clock relative to UTC. One reading serves many nodes. */
export interface OwnUtc extends UtcReport {
  readonly beganAtMs: number;
}

/** A node's clock as it is shown. */
export interface ClockReport {
  /** The node's clock minus the controller's. */
  readonly offsetMs: number;
  /** The bound when it was measured. */
  readonly boundMs: number;
  /** The bound now: it grows with its age. */
  readonly boundNowMs: number;
  readonly source: EstimateSource;
  readonly errors: readonly string[];
}

export function reportClock(clock: NodeClock): ClockReport {
  const { offsetMs, boundMs, source, errors } = clock;
  return { offsetMs, boundMs, boundNowMs: boundAt(clock, systemClock.monotonicMs()), source, errors };
}

/**
 * Reads the slice's NTP servers, and chrony if this machine has it. Throws VnmError `interrupted` when the signal
 * aborts.
 */
export async function readOwnUtc({ ntp }: Slice, signal?: AbortSignal): Promise<OwnUtc> {
  const beganAtMs = systemClock.monotonicMs();
  const { sources, errors } = await readUtc(ntp, systemClock, { signal });
  return { sources, errors: errors.map((error) => `this machine: ${error}`), beganAtMs };
}

/**
 * Measures the offset of each node's clock from the controller's: by exchanges on the open channels, and by UTC where
 * both ends know it. Throws as `AgentConnection.call`; if UTC cannot be read, the estimate does without it and lists
 * the error.
 */
export async function measureClocks(
  agents: Agents,
  nodes: Iterable<NodeName>,
  readOwn: () => Promise<OwnUtc> = () => readOwnUtc(agents.slice),
): Promise<Map<string, NodeClock>> {
  const own = readOwn();
  const clocks = await Promise.all(
    [...new Set(nodes)].map(async (node) => [node, await measureClock(agents, node, own)] as const),
  );
  return new Map(clocks);
}

async function measureClock(agents: Agents, node: NodeName, own: Promise<OwnUtc>): Promise<NodeClock> {
  const steady = agents.clock;
  const ask = () => {
    const connection = agents.get(node);
    return connection.call('clock', {}, { timeoutMs: connection.limits.inquiryMs });
  };
  const [exchanged, ownUtc] = await Promise.all([estimateByExchanges(ask, steady), own]);
  // Only after the exchanges, which it would disturb.
  const utc = ownUtc.sources.length === 0 ? { sources: [], errors: [] } : await readNodeUtc(agents, node);
  const nowMs = steady.monotonicMs();
  const byUtc = estimatesByUtc(ownUtc.sources, utc.sources, { fromMs: ownUtc.beganAtMs, toMs: nowMs });
  // Exchanges trust no server: a contradiction means that a server is wrong, or that a clock was set meanwhile.
  const credible = byUtc.filter((estimate) => agree(estimate, exchanged, nowMs));
  const contradictions = byUtc
    .filter((estimate) => !credible.includes(estimate))
    .map(({ source }) => `${node}: ${source} contradicts the exchanges with the node and is ignored`);
  return {
    ...bestEstimate([exchanged, ...credible], nowMs),
    roundTripMs: 2 * exchanged.boundMs,
    errors: [...ownUtc.errors, ...utc.errors, ...contradictions],
  };
}

/**
 * Does without UTC when a node forbids reading it, or refuses a server name that earlier versions accepted into the
 * database.
 */
async function readNodeUtc(agents: Agents, node: NodeName): Promise<UtcReport> {
  try {
    const ntpServers = [...agents.slice.ntp];
    const connection = agents.get(node);
    const { sources, errors } = await connection.call(
      'utc',
      { ntpServers },
      { timeoutMs: connection.limits.inquiryMs },
    );
    return { sources, errors: errors.map((error) => `${node}: ${error}`) };
  } catch (error) {
    const isRefused = error instanceof VnmError && (error.code === 'forbidden' || error.code === 'invalid-input');
    if (!isRefused) throw error;
    return { sources: [], errors: [`${node}: ${messageOf(error)}`] };
  }
}
