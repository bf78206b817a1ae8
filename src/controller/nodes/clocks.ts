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

/** A node's clock against the controller's, by the source with the smallest bound. */
export interface NodeClock extends ClockEstimate {
  /** Of the shortest exchange on the kept channel: a command of the controller is under way for no less. */
  readonly roundTripMs: number;
  /** Sources of UTC that could not be used. */
  readonly errors: readonly string[];
}

/** The controller's own clock against UTC. One reading serves for many nodes. */
export interface OwnUtc extends UtcReport {
  readonly beganAtMs: number;
}

/** A node's clock as it is shown. */
export interface ClockReport {
  /** The node's clock minus the controller's. */
  readonly offsetMs: number;
  /** When it was measured. */
  readonly boundMs: number;
  /** Grown with its age. */
  readonly boundNowMs: number;
  readonly source: EstimateSource;
  readonly errors: readonly string[];
}

export function reportClock(clock: NodeClock): ClockReport {
  const { offsetMs, boundMs, source, errors } = clock;
  return { offsetMs, boundMs, boundNowMs: boundAt(clock, systemClock.monotonicMs()), source, errors };
}

/** Reads the slice's NTP servers, and chrony if this machine has it. Throws VnmError `interrupted`. */
export async function readOwnUtc({ ntp }: Slice, signal?: AbortSignal): Promise<OwnUtc> {
  const beganAtMs = systemClock.monotonicMs();
  const { sources, errors } = await readUtc(ntp, systemClock, { signal });
  return { sources, errors: errors.map((error) => `this machine: ${error}`), beganAtMs };
}

/**
 * The offset of each node's clock to the controller's: from exchanges on the kept channels, and by UTC where both ends know it.
 * Throws as `AgentConnection.call`; what cannot be read of UTC is an error in the estimate, which does without.
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
  // Asked only when the exchanges are over, which it would disturb.
  const utc = ownUtc.sources.length === 0 ? { sources: [], errors: [] } : await readNodeUtc(agents, node);
  const nowMs = steady.monotonicMs();
  const byUtc = estimatesByUtc(ownUtc.sources, utc.sources, { fromMs: ownUtc.beganAtMs, toMs: nowMs });
  // Exchanges trust no server: what contradicts them is a server that lies, or a clock that was set meanwhile.
  const credible = byUtc.filter((estimate) => agree(estimate, exchanged, nowMs));
  const contradictions = byUtc
    .filter((estimate) => !credible.includes(estimate))
    .map(({ source }) => `${node}: ${source} contradicts the exchanges with the node and is left out`);
  return {
    ...bestEstimate([exchanged, ...credible], nowMs),
    roundTripMs: 2 * exchanged.boundMs,
    errors: [...ownUtc.errors, ...utc.errors, ...contradictions],
  };
}

/** A node may forbid it, and the database may hold what earlier versions took for a server's name; then exchanges have to do. */
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
