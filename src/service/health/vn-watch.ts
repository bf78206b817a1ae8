/** Keeps the watches of one VN at its gateways and end hosts up to date while instances and agents change. */
import type { NodeName } from '../../model/names.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Reports } from './judge.ts';
import type { NodeWatch } from './node-watch.ts';
import type { Evidence } from './rule.ts';
import { planWatches, type Watcher, type WatchPlan } from './watch-plan.ts';

export interface VnWatchOptions {
  readonly intervalMs: number;
  /** The shortest timeout of a probe. */
  readonly timeoutMs: number;
}

/** The timeout of a probe while round-trip times are unknown. */
const firstTimeoutMs = 2000;
/** The timeout of a probe, in multiples of the longest round trip. */
const patience = 3;

export class VnWatch {
  readonly vn: VirtualNetwork;
  readonly instance: Instance;
  readonly instanceId: number;
  readonly plan: WatchPlan;
  readonly #nodes: ReadonlyMap<string, NodeWatch>;
  readonly #options: VnWatchOptions;
  /** The last request sent for each watch, and its channel; a new channel or request makes it be sent again. */
  readonly #sent = new Map<string, { connection: AgentConnection; words: string; port: number }>();
  readonly #sending = new Set<string>();
  #timeoutMs = firstTimeoutMs;

  constructor(
    slice: Slice,
    vn: VirtualNetwork,
    active: { id: number; instance: Instance },
    nodes: ReadonlyMap<string, NodeWatch>,
    options: VnWatchOptions,
  ) {
    this.vn = vn;
    this.instance = active.instance;
    this.instanceId = active.id;
    this.plan = planWatches(slice, vn, active.instance);
    this.#nodes = nodes;
    this.#options = options;
  }

  /** Sends new and changed watches to the agents. The node's watch reports failures; the next tick tries again. */
  tick(): void {
    this.#adapt();
    for (const watcher of this.plan.watchers) void this.#send(watcher);
  }

  /** Ends the watches of a VN that is gone. An agent that cannot be reached ends its watches with the channel. */
  stop(): void {
    for (const [id, { connection }] of this.#sent) connection.call('watch_stop', { id }).catch(() => {});
    this.#sent.clear();
  }

  reports(): Reports {
    return new Map(
      this.plan.watchers.flatMap((watcher) => {
        const probes = this.#probesOf(watcher);
        return probes === undefined ? [] : [[watcher.name, probes] as const];
      }),
    );
  }

  #probesOf({ id, node }: Watcher): ReadonlyMap<string, Evidence> | undefined {
    // A report may still be about an earlier instance.
    if (!this.#isSent(id, node)) return undefined;
    const watch = this.#nodes.get(node)?.report?.watches.find((one) => one.id === id);
    return (
      watch &&
      new Map(
        watch.targets.map(({ name, missedInRow, answeredInRow }) => [
          name,
          { missed: missedInRow, answered: answeredInRow },
        ]),
      )
    );
  }

  #isSent(id: string, node: NodeName): boolean {
    const sent = this.#sent.get(id);
    return sent !== undefined && sent.connection === this.#nodes.get(node)?.connection;
  }

  /** Adapts the timeout to the round-trip times, once they are known. */
  #adapt(): void {
    const targets = this.plan.watchers.flatMap(({ id, node }) =>
      this.#isSent(id, node)
        ? (this.#nodes.get(node)?.report?.watches.find((one) => one.id === id)?.targets ?? [])
        : [],
    );
    const roundTripsMs = targets.flatMap(({ rttMs }) => rttMs ?? []);
    // A target that has not answered yet may be the farthest.
    if (roundTripsMs.length === 0 || (this.#timeoutMs === firstTimeoutMs && roundTripsMs.length < targets.length))
      return;
    const neededMs = Math.max(this.#options.timeoutMs, Math.ceil((patience * Math.max(...roundTripsMs)) / 100) * 100);
    // The timeout never shrinks: each change sends a request to every agent.
    if (this.#timeoutMs === firstTimeoutMs || neededMs > this.#timeoutMs) this.#timeoutMs = neededMs;
  }

  /** Returns the port at which a watch answers; undefined until it is known. */
  #portOf(answeredBy: string): number | undefined {
    const { node } = this.plan.watchers.find(({ id }) => id === answeredBy)!;
    return this.#isSent(answeredBy, node) ? this.#sent.get(answeredBy)?.port : undefined;
  }

  async #send({ id, node, from, intervals, targets: all }: Watcher): Promise<void> {
    const connection = this.#nodes.get(node)?.connection;
    if (connection === undefined || this.#sending.has(id)) return;
    const targets = all.flatMap(({ name, to, answeredBy }) => {
      if (answeredBy === undefined) return [{ name, to }];
      const port = this.#portOf(answeredBy);
      return port === undefined ? [] : [{ name, to, port }];
    });
    const intervalMs = intervals * this.#options.intervalMs;
    const request = { id, from, intervalMs, timeoutMs: this.#timeoutMs, targets };
    const words = JSON.stringify(request);
    const sent = this.#sent.get(id);
    if (sent?.connection === connection && sent.words === words) return;
    this.#sending.add(id);
    try {
      const { port } = await connection.call('watch', request, { timeoutMs: 5000 });
      this.#sent.set(id, { connection, words, port });
    } catch {
      // The watcher's address does not exist yet or any more, or the node is unreachable: its targets stay unknown.
      this.#sent.delete(id);
    } finally {
      this.#sending.delete(id);
    }
  }
}
