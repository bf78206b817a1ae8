import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import {
  type AgentConnection,
  type AgentOptions,
  type AgentTarget,
  type Connected,
  connectAgent,
  connectReachable,
} from '../../transport/agent-connection.ts';
import { unlessAborted } from './unless-aborted.ts';

/**
 * Connections that outlast a command, for a long-running process: one per slice and node. Such a process may also know
 * which nodes are dead, so that no caller waits for SSH to find out.
 */
export interface Connections {
  /**
   * As `connectReachable`, but reuses open connections and keeps new ones. Callers that want the same node share one
   * attempt, which continues when the signal of one of them aborts. A node that is marked as unreachable fails at once.
   */
  connect(targets: readonly AgentTarget[], options: AgentOptions): Promise<Connected>;
  /**
   * Ends the connection to a node, or the attempt to connect: requests without an answer fail with the error at once.
   */
  evict(slice: string, node: NodeName, error: VnmError): void;
  /**
   * Evicts, and until `markReachable` every caller gets the error (code `unreachable`) instead of a connection to this
   * node. To find out whether the node is reachable again, connect without these connections.
   */
  markUnreachable(slice: string, node: NodeName, error: VnmError): void;
  markReachable(slice: string, node: NodeName): void;
  /** The error that the node is marked with; undefined if it is not marked. */
  markOf(slice: string, node: NodeName): VnmError | undefined;
  /** Closes all connections for good. The agents keep running. */
  closeAll(): void;
}

interface Kept {
  readonly target: AgentTarget;
  readonly connection: Promise<AgentConnection>;
  /** Ends the connection, or the attempt to connect, with this error. */
  readonly end: (error: VnmError) => void;
}

export function keepConnections(
  connectOne: (target: AgentTarget, options: AgentOptions) => Promise<AgentConnection> = connectAgent,
): Connections {
  const kept = new Map<string, Kept>();
  const marks = new Map<string, VnmError>();
  let isClosed = false;

  function keep(key: string, target: AgentTarget, options: AgentOptions): Kept {
    const ending = new AbortController();
    const attempt = connectOne(target, { ...options, signal: ending.signal });
    const one: Kept = {
      target,
      connection: unlessAborted(attempt, ending.signal, () => ending.signal.reason as VnmError),
      end: (error) => {
        forget();
        ending.abort(error);
      },
    };
    const forget = () => {
      if (kept.get(key) === one) kept.delete(key);
    };
    attempt.then((connection) => {
      connection.onClose(forget);
      whenAborted(ending.signal, () => connection.abandon(ending.signal.reason as VnmError));
    }, forget);
    // Its callers may have stopped waiting.
    one.connection.catch(() => {});
    kept.set(key, one);
    return one;
  }

  async function take(target: AgentTarget, { signal, ...options }: AgentOptions): Promise<AgentConnection> {
    const { slice, node } = target;
    const key = keyOf(slice, node);
    if (isClosed) throw closing();
    const mark = marks.get(key);
    if (mark !== undefined) throw mark;
    let one = kept.get(key);
    if (one !== undefined && !isDeepStrictEqual(one.target, target)) {
      one.end(new VnmError('unreachable', `node '${node}' of slice '${slice}' has another address now`));
      one = undefined;
    }
    one ??= keep(key, target, options);
    if (signal === undefined) return one.connection;
    const interrupted = () =>
      new VnmError('interrupted', `the connection to node '${node}' was interrupted`, { cause: signal.reason });
    return unlessAborted(one.connection, signal, interrupted);
  }

  function evict(slice: string, node: NodeName, error: VnmError): void {
    kept.get(keyOf(slice, node))?.end(error);
  }

  return {
    connect: (targets, options) => connectReachable(targets, options, { connectOne: take }),
    evict,
    markUnreachable: (slice, node, error) => {
      marks.set(keyOf(slice, node), error);
      evict(slice, node, error);
    },
    markReachable: (slice, node) => void marks.delete(keyOf(slice, node)),
    markOf: (slice, node) => marks.get(keyOf(slice, node)),
    closeAll: () => {
      isClosed = true;
      for (const { end } of [...kept.values()]) end(closing());
    },
  };
}

function closing(): VnmError {
  return new VnmError('unreachable', 'the connections are being closed');
}

function keyOf(slice: string, node: NodeName): string {
  return `${slice} ${node}`;
}

function whenAborted(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
}
