/** The watches of one VN at its gateways and end hosts, kept as they must be while instances and agents change. */
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Reports } from './judge.ts';
import type { NodeWatch } from './node-watch.ts';
import type { Evidence } from './rule.ts';
import { type GatewayWatch, planWatches, type Watcher, type WatchPlan } from './watch-plan.ts';

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
  /** Which channel was told what; a new channel, or new words, and it is told anew. */
  readonly #told = new Map<string, { connection: AgentConnection; words: string }>();
  readonly #telling = new Set<string>();
  readonly #ports = new Map<string, { connection: AgentConnection; port: number }>();
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

  /** Tells every agent what it does not know yet. Failures are told by the node's own watch, and it is tried again. */
  tick(): void {
    this.#adapt();
    for (const host of this.plan.endHosts) void this.#tell(host, []);
    for (const gateway of this.plan.gateways) {
      const targets = gateway.targets.flatMap(({ name, to, answeredBy }) => {
        if (answeredBy === undefined) return [{ name, to }];
        const port = this.#portOf(answeredBy);
        return port === undefined ? [] : [{ name, to, port }];
      });
      void this.#tell(gateway, targets);
    }
  }

  reports(): Reports {
    return new Map(
      this.plan.gateways.flatMap((gateway) => {
        const probes = this.#probesOf(gateway);
        return probes === undefined ? [] : [[gateway.gateway, probes] as const];
      }),
    );
  }

  #probesOf({ id, node, targets }: GatewayWatch): ReadonlyMap<string, Evidence> | undefined {
    const watch = this.#nodes.get(node)?.report?.watches.find((one) => one.id === id);
    const names = new Set(targets.map(({ name }) => name));
    return (
      watch &&
      new Map(
        watch.targets
          .filter(({ name }) => names.has(name))
          .map(({ name, missedInRow, answeredInRow }) => [name, { missed: missedInRow, answered: answeredInRow }]),
      )
    );
  }

  /** Long paths get more time, once it is known how long they are. */
  #adapt(): void {
    const ids = new Set(this.plan.gateways.map(({ id }) => id));
    const targets = this.plan.gateways.flatMap(({ node }) =>
      (this.#nodes.get(node)?.report?.watches ?? []).filter(({ id }) => ids.has(id)).flatMap((watch) => watch.targets),
    );
    const roundTripsMs = targets.flatMap(({ rttMs }) => rttMs ?? []);
    // What has not answered yet may be the farthest.
    if (roundTripsMs.length === 0 || (this.#timeoutMs === firstTimeoutMs && roundTripsMs.length < targets.length))
      return;
    const neededMs = Math.max(this.#options.timeoutMs, Math.ceil((patience * Math.max(...roundTripsMs)) / 100) * 100);
    // A single late answer is no reason to tell everybody, and once long stays long for this instance.
    if (this.#timeoutMs === firstTimeoutMs || neededMs > this.#timeoutMs) this.#timeoutMs = neededMs;
  }

  #portOf({ id, node }: Watcher): number | undefined {
    const known = this.#ports.get(id);
    return known !== undefined && known.connection === this.#nodes.get(node)?.connection ? known.port : undefined;
  }

  async #tell({ id, node, from }: Watcher, targets: readonly { name: string; to: string; port?: number }[]) {
    const connection = this.#nodes.get(node)?.connection;
    if (connection === undefined || this.#telling.has(id)) return;
    const request = {
      id,
      from,
      intervalMs: this.#options.intervalMs,
      timeoutMs: this.#timeoutMs,
      targets: [...targets],
    };
    const words = JSON.stringify(request);
    const told = this.#told.get(id);
    if (told?.connection === connection && told.words === words) return;
    this.#telling.add(id);
    try {
      const { port } = await connection.call('watch', request, { timeoutMs: 5000 });
      this.#ports.set(id, { connection, port });
      this.#told.set(id, { connection, words });
    } catch {
      // Its address is not there yet or not any more, or the node is away: what it should probe stays untold, and so unknown.
      this.#told.delete(id);
    } finally {
      this.#telling.delete(id);
    }
  }
}
