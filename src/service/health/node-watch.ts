/** Keeps a channel to a node's agent, and records how the agent answers. */
import { messageOf, VnmError } from '../../model/errors.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { NodeFacts, Results } from '../../vsys/messages.ts';
import type { Evidence } from './rule.ts';

export type WatchReport = Results['watch_report'];

export interface NodeWatchOptions {
  readonly intervalMs: number;
  /** An agent that has not answered for this long has missed a heartbeat. */
  readonly timeoutMs: number;
  readonly monotonicMs: () => number;
  readonly connect: () => Promise<AgentConnection>;
  /** Called when a channel is open. Its agent may differ from the one before. */
  readonly onConnected: (facts: NodeFacts, before: NodeFacts | undefined) => void;
}

/** The time between two attempts to connect. */
const pauseMs = 500;
/** The time allowed for the first connection: at its start the service connects to all nodes at once. */
const firstConnectionMs = 15_000;
/** The timeout of a request to an agent, whose connection may have failed silently. */
const requestTimeoutMs = 10_000;

/** Polls the agent for its probes; each answer is a heartbeat. Call `tick` every interval, and `stop` at the end. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #startedMs: number;
  #connection: AgentConnection | undefined;
  #facts: NodeFacts | undefined;
  #isConnecting = false;
  #isAsking = false;
  #isStopped = false;
  #nextAttemptMs = Number.NEGATIVE_INFINITY;
  /** When the oldest unanswered request was sent. */
  #silentSinceMs: number | undefined;
  #answered = 0;
  #report: WatchReport | undefined;
  /** Why the last connection or request failed. */
  #failure: string | undefined;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.#startedMs = options.monotonicMs();
  }

  get connection(): AgentConnection | undefined {
    return this.#connection;
  }

  get facts(): NodeFacts | undefined {
    return this.#facts;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** The probes of the agent; undefined while it does not answer. */
  get report(): WatchReport | undefined {
    return this.#missed() > 0 ? undefined : this.#report;
  }

  tick(): void {
    const nowMs = this.#options.monotonicMs();
    if (this.#isStopped) return;
    if (this.#connection === undefined) {
      if (nowMs - this.#startedMs > firstConnectionMs) this.#silentSinceMs ??= nowMs;
      if (!this.#isConnecting && nowMs >= this.#nextAttemptMs) void this.#connect();
    } else if (!this.#isAsking) {
      void this.#ask(this.#connection);
    }
  }

  /** Returns the evidence of the heartbeats; undefined until the first connection is made or is overdue. */
  evidence(): Evidence | undefined {
    const missed = this.#missed();
    return missed === 0 && this.#answered === 0 ? undefined : { missed, answered: missed > 0 ? 0 : this.#answered };
  }

  /** Excludes a time in which the service itself did not run: heartbeats in that time do not count as missed. */
  forgive(ms: number): void {
    if (this.#silentSinceMs !== undefined) this.#silentSinceMs += ms;
  }

  stop(): void {
    this.#isStopped = true;
  }

  #missed(): number {
    if (this.#silentSinceMs === undefined) return 0;
    const { intervalMs, timeoutMs, monotonicMs } = this.#options;
    return Math.max(0, Math.floor((monotonicMs() - this.#silentSinceMs - timeoutMs) / intervalMs) + 1);
  }

  async #connect(): Promise<void> {
    this.#isConnecting = true;
    try {
      const connection = await this.#options.connect();
      if (this.#isStopped) return;
      const before = this.#facts;
      this.#connection = connection;
      this.#facts = connection.facts;
      this.#failure = undefined;
      connection.onClose((error) => this.#lose(connection, error));
      this.#hear();
      this.#options.onConnected(connection.facts, before);
    } catch (error) {
      this.#failure = messageOf(error);
      this.#silentSinceMs ??= this.#options.monotonicMs();
    } finally {
      this.#isConnecting = false;
      this.#nextAttemptMs = this.#options.monotonicMs() + pauseMs;
    }
  }

  #lose(connection: AgentConnection, error: VnmError | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#report = undefined;
    this.#failure = error === undefined ? 'the connection was closed' : error.message;
    this.#silentSinceMs ??= this.#options.monotonicMs();
    // An agent that has just ended may be running again at once.
    this.#nextAttemptMs = Number.NEGATIVE_INFINITY;
  }

  async #ask(connection: AgentConnection): Promise<void> {
    this.#isAsking = true;
    const askedMs = this.#options.monotonicMs();
    this.#silentSinceMs ??= askedMs;
    try {
      this.#report = await connection.call('watch_report', {}, { timeoutMs: requestTimeoutMs });
      this.#hear();
    } catch (error) {
      this.#failure = messageOf(error);
      if (!(error instanceof VnmError)) throw error;
    } finally {
      this.#isAsking = false;
    }
  }

  #hear(): void {
    if (this.#missed() > 0) this.#answered = 0;
    this.#answered += 1;
    this.#silentSinceMs = undefined;
  }
}
