import { VnmError } from '../../model/errors.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Method, ParamsInput } from '../../vsys/messages.ts';
import type { CallOptions } from '../../vsys/rpc.ts';
import type { HeldLock } from './context.ts';
import { unlessAborted } from './unless-aborted.ts';

/** Requests that carry a ticket. */
const ticketed: readonly Method[] = [
  'apply',
  'redirect',
  'arm',
  'daemon_dump',
  'daemon_restore',
  'daemon_settle',
  'machine_copy',
  'machine_copy_write',
  'machine_go_on',
];
/**
 * Requests that need a claim first. `cancel` is one: an earlier `arm` that arrives late must not arm again what was
 * cancelled.
 */
const changing: readonly Method[] = [...ticketed, 'cancel'];

/** What one command claims on all nodes that it is connected to. */
export interface Claims {
  /**
   * Returns the connection that the command uses: before its first request that changes something on any node, it
   * claims all its nodes. Nodes that it connects to later are claimed at once. Throws as `AgentConnection.call`.
   */
  use(connection: AgentConnection): Promise<AgentConnection>;
  /** Claims now, before reading what is to be changed. If a node cannot be claimed, later requests to it fail. */
  claim(): void;
}

/** The claims of a command with this lock; without a lock nothing is claimed. */
export function claimsOf(lock: HeldLock | undefined): Claims {
  if (lock === undefined) return { use: async (connection) => connection, claim: () => {} };
  const waiting = new Set<() => Promise<number>>();
  let isClaimed = false;

  function claimAll(): void {
    isClaimed = true;
    for (const claimHere of waiting) claimHere().catch(() => {});
    waiting.clear();
  }

  async function use(connection: AgentConnection): Promise<AgentConnection> {
    let ticket: Promise<number> | undefined;
    const claimHere = () => {
      ticket ??= requestTicket(connection, lock!.vn);
      return ticket;
    };
    if (isClaimed) await claimHere();
    else waiting.add(claimHere);
    return {
      ...connection,
      call: async (method, params, options) => {
        if (changes(method, params)) claimAll();
        if (ticket === undefined) return connection.call(method, params, options);
        const own = await inTime(ticket, method, options);
        return connection.call(method, ticketed.includes(method) ? { ...params, ticket: own } : params, options);
      },
    };
  }

  return { use, claim: claimAll };
}

function changes<M extends Method>(method: M, params: ParamsInput<M>): boolean {
  return changing.includes(method) && (params as { dryRun?: boolean }).dryRun !== true;
}

/** Repeats the request when another command, on another VN of the slice, claims in between. */
async function requestTicket(connection: AgentConnection, vn: string | undefined): Promise<number> {
  const request = vn === undefined ? {} : { vn };
  for (let after = 0; ; ) {
    const { granted, ticket } = await connection.call('claim', { ...request, after });
    if (granted) return ticket;
    after = ticket;
  }
}

/** Waits for a ticket within the limits of the request that needs it. */
function inTime(ticket: Promise<number>, method: Method, { signal, timeoutMs }: CallOptions = {}): Promise<number> {
  const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(Math.ceil(timeoutMs));
  const ends = [signal, late].filter((end) => end !== undefined);
  if (ends.length === 0) return ticket;
  return unlessAborted(ticket, AbortSignal.any(ends), () =>
    signal?.aborted
      ? new VnmError('interrupted', `'${method}' was interrupted`)
      : new VnmError('timeout', `no answer to 'claim' within ${timeoutMs} ms`),
  );
}
