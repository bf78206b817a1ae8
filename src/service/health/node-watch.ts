/** One node as the service sees it: its agent's channel, kept, and how it answers on it. */
import { messageOf, VnmError } from '../../model/errors.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { NodeFacts, Results } from '../../vsys/messages.ts';
import type { Evidence } from './rule.ts';

export type WatchReport = Results['watch_report'];

export interface NodeWatchOptions {
  readonly intervalMs: number;
  /** An agent that has not answered for so long has missed a heartbeat. */
  readonly timeoutMs: number;
  readonly monotonicMs: () => number;
  readonly connect: () => Promise<AgentConnection>;
  /** A channel is there, to an agent that may be another one than before. */
  readonly onConnected: (facts: NodeFacts, before: NodeFacts | undefined) => void;
}

/** Between two attempts to connect. */
const pauseMs = 500;
/** A first connection may take so long, as while the service connects to all nodes at once. */
const firstConnectionMs = 15_000;
/** A request to an agent; the connection may be gone without a word. */
const requestTimeoutMs = 10_000;

/** Asks the agent for its probes again and again: the answer is the heartbeat. Call `tick` every interval, `stop` at the end. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #startedMs: number;
  #connection: AgentConnection | undefined;
  #facts: NodeFacts | undefined;
  #isConnecting = false;
  #isAsking = false;
  #isStopped = false;
  #nextAttemptMs = Number.NEGATIVE_INFINITY;
  /** Since when there is no answer to what was asked. */
  #silentSinceMs: number | undefined;
  #answered = 0;
  #report: WatchReport | undefined;
  /** Why there is no channel. */
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

  /** The probes of the agent, while it answers. */
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

  /** Of its heartbeats; undefined before the first channel came about, or was long enough in coming. */
  evidence(): Evidence | undefined {
    const missed = this.#missed();
    return missed === 0 && this.#answered === 0 ? undefined : { missed, answered: missed > 0 ? 0 : this.#answered };
  }

  /** The service itself was not awake for so long: what it did not hear meanwhile does not count as missed. */
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
    // What has just ended may be there again at once.
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
