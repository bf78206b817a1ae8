/** The watches of one VN at its gateways and end hosts, kept as they must be while instances and agents change. */
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
  /** The least time that an answer may take. */
  readonly timeoutMs: number;
}

/** Until round trips are known. */
const firstTimeoutMs = 2000;
/** An answer may take so many of the longest round trips. */
const patience = 3;

export class VnWatch {
  readonly vn: VirtualNetwork;
  readonly instance: Instance;
  readonly instanceId: number;
  readonly plan: WatchPlan;
  readonly #nodes: ReadonlyMap<string, NodeWatch>;
  readonly #options: VnWatchOptions;
  /** Which channel got which request; a new channel, or a new request, and it is sent again. */
  readonly #told = new Map<string, { connection: AgentConnection; words: string; port: number }>();
  readonly #telling = new Set<string>();
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

  /** Tells every agent what it does not know yet. The node's own watch reports failures; the next tick tries again. */
  tick(): void {
    this.#adapt();
    for (const watcher of this.plan.watchers) void this.#tell(watcher);
  }

  /** Once the VN is there no more. An agent that does not hear it ends its watch with the channel. */
  stop(): void {
    for (const [id, { connection }] of this.#told) connection.call('watch_stop', { id }).catch(() => {});
    this.#told.clear();
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
    // What it has told of an earlier instance is not of this one.
    if (!this.#isTold(id, node)) return undefined;
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

  #isTold(id: string, node: NodeName): boolean {
    const told = this.#told.get(id);
    return told !== undefined && told.connection === this.#nodes.get(node)?.connection;
  }

  /** Long paths get more time, once it is known how long they are. */
  #adapt(): void {
    const targets = this.plan.watchers.flatMap(({ id, node }) =>
      this.#isTold(id, node)
        ? (this.#nodes.get(node)?.report?.watches.find((one) => one.id === id)?.targets ?? [])
        : [],
    );
    const roundTripsMs = targets.flatMap(({ rttMs }) => rttMs ?? []);
    // What has not answered yet may be the farthest.
    if (roundTripsMs.length === 0 || (this.#timeoutMs === firstTimeoutMs && roundTripsMs.length < targets.length))
      return;
    const neededMs = Math.max(this.#options.timeoutMs, Math.ceil((patience * Math.max(...roundTripsMs)) / 100) * 100);
    // A single late answer is no reason to tell everybody, and once long stays long for this instance.
    if (this.#timeoutMs === firstTimeoutMs || neededMs > this.#timeoutMs) this.#timeoutMs = neededMs;
  }

  /** Undefined while it is not known where the other end answers. */
  #portOf(answeredBy: string): number | undefined {
    const { node } = this.plan.watchers.find(({ id }) => id === answeredBy)!;
    return this.#isTold(answeredBy, node) ? this.#told.get(answeredBy)?.port : undefined;
  }

  async #tell({ id, node, from, intervals, targets: all }: Watcher): Promise<void> {
    const connection = this.#nodes.get(node)?.connection;
    if (connection === undefined || this.#telling.has(id)) return;
    const targets = all.flatMap(({ name, to, answeredBy }) => {
      if (answeredBy === undefined) return [{ name, to }];
      const port = this.#portOf(answeredBy);
      return port === undefined ? [] : [{ name, to, port }];
    });
    const intervalMs = intervals * this.#options.intervalMs;
    const request = { id, from, intervalMs, timeoutMs: this.#timeoutMs, targets };
    const words = JSON.stringify(request);
    const told = this.#told.get(id);
    if (told?.connection === connection && told.words === words) return;
    this.#telling.add(id);
    try {
      const { port } = await connection.call('watch', request, { timeoutMs: 5000 });
      this.#told.set(id, { connection, words, port });
    } catch {
      // Its address is not there yet or not any more, or the node is unreachable: what it should probe stays untold, and so unknown.
      this.#told.delete(id);
    } finally {
      this.#telling.delete(id);
    }
  }
}
