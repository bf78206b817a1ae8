/** Watches the health of one slice's nodes and VNs. */

import { nodesOf } from '../../controller/nodes/compare.ts';
import type { NodeName } from '../../model/names.ts';
import { describePlacement, isSamePlacement, type NamedPlacement, type Slice } from '../../model/slice.ts';
import type { HealthKind, HealthRecord, HealthState } from '../../store/health.ts';
import type { NodeFacts } from '../../vsys/messages.ts';
import { type Finding, judgeNode, judgeVn, routersOn } from './judge.ts';
import { NodeWatch } from './node-watch.ts';
import { advance, type Evidence } from './rule.ts';
import type { HealthOptions, MonitorParts } from './types.ts';
import { VnWatch } from './vn-watch.ts';
import { tunnelName } from './watch-plan.ts';

export class SliceWatch {
  readonly #name: string;
  readonly #parts: MonitorParts;
  readonly #options: HealthOptions;
  readonly #nodes = new Map<string, NodeWatch>();
  readonly #vns = new Map<string, VnWatch>();
  #slice: Slice | undefined;
  #records = new Map<string, HealthRecord>();
  /** Whether the records in the database are older than these. */
  #isUnsaved = true;

  constructor(name: string, parts: MonitorParts, options: HealthOptions) {
    this.#name = name;
    this.#parts = parts;
    this.#options = options;
  }

  /** Adapts the watches to the slice and its active instances in the database. */
  follow(slice: Slice): void {
    const { store } = this.#parts;
    this.#slice = slice;
    const active = slice.vns.flatMap((vn) => {
      const record = store.instances.active(slice.name, vn.name);
      return record === undefined ? [] : [{ vn, record }];
    });
    const wanted = nodesOf(
      store,
      slice,
      active.map(({ vn }) => vn),
    );
    for (const [node, watch] of this.#nodes) {
      if (wanted.has(node)) continue;
      watch.stop();
      this.#nodes.delete(node);
    }
    for (const node of wanted) if (!this.#nodes.has(node)) this.#nodes.set(node, this.#watchNode(node));
    for (const [name, watch] of this.#vns) {
      if (active.some(({ vn }) => vn.name === name)) continue;
      watch.stop();
      this.#vns.delete(name);
    }
    for (const { vn, record } of active) {
      const watch = this.#vns.get(vn.name);
      const instance = store.instances.plan(record.id);
      const isSame = watch !== undefined && isSamePlacement(watch.instance.placement, instance.placement);
      if (watch?.instanceId === record.id && isSame) continue;
      const { intervalMs, probeTimeoutMs } = this.#options;
      this.#vns.set(
        vn.name,
        new VnWatch(slice, vn, { id: record.id, instance }, this.#nodes, { intervalMs, timeoutMs: probeTimeoutMs }),
      );
      if (watch !== undefined) this.#moved(vn.name, { name: record.placementName, placement: instance.placement });
    }
    this.#forgetGone();
  }

  round(): void {
    const slice = this.#slice!;
    for (const watch of this.#nodes.values()) watch.tick();
    for (const watch of this.#vns.values()) watch.tick();
    const found = new Map(
      [...this.#vns].map(([name, watch]) => [name, judgeVn(watch.vn, watch.plan, watch.reports())]),
    );
    const findings = [
      ...[...this.#nodes.keys()].map((node) => ({ vn: '', ...this.#judgeNode(node, found) })),
      ...[...found].flatMap(([vn, list]) => list.map((finding) => ({ vn, ...finding }))),
    ];
    for (const finding of findings) this.#note(slice, finding);
    if (!this.#isUnsaved) return;
    this.#parts.store.health.save(this.#name, [...this.#records.values()]);
    this.#isUnsaved = false;
  }

  forgive(ms: number): void {
    for (const watch of this.#nodes.values()) watch.forgive(ms);
  }

  stop(): void {
    for (const watch of this.#nodes.values()) watch.stop();
  }

  agents(): { slice: string; node: NodeName; facts: NodeFacts }[] {
    return [...this.#nodes].flatMap(([node, { connection, facts }]) =>
      connection === undefined || facts === undefined ? [] : [{ slice: this.#name, node, facts }],
    );
  }

  nodeState(node: NodeName): HealthState {
    return this.#records.get(keyOf({ vn: '', kind: 'node', name: node }))?.state ?? 'unknown';
  }

  #watchNode(node: NodeName): NodeWatch {
    const { clock, connect, onAgentStarted } = this.#parts;
    return new NodeWatch({
      intervalMs: this.#options.intervalMs,
      timeoutMs: this.#options.heartbeatTimeoutMs,
      monotonicMs: clock.monotonicMs,
      connect: () => connect(this.#slice!, node),
      onConnected: (facts, before) => {
        const isAnother = before !== undefined && before.agent.startedAt !== facts.agent.startedAt;
        if (isAnother) onAgentStarted(this.#slice!, node, facts);
      },
    });
  }

  /** Judges a node by its heartbeats and by the probes of its routers, gateways and end hosts. */
  #judgeNode(node: NodeName, found: ReadonlyMap<string, readonly Finding[]>): Finding {
    const carried = [...this.#vns.values()].flatMap(({ vn, instance }): (Evidence | undefined)[] => {
      const findings = found.get(vn.name)!;
      const of = (kind: HealthKind, name: string) =>
        findings.find((one) => one.kind === kind && one.name === name)?.evidence;
      const gateways = vn.gateways.filter((gateway) => gateway.node === node).map(({ name }) => name);
      return [
        ...routersOn(instance, node).map((router) => of('router', router)),
        ...vn.endHosts
          .filter((host) => host.node === node)
          .map((host) => of('tunnel', tunnelName(host.name, host.gateway))),
        ...gateways.flatMap((to) =>
          vn.gateways.map(({ name }) => (name === to ? undefined : of('path', `${name}-${to}`))),
        ),
      ];
    });
    return judgeNode(node, this.#nodes.get(node)!.evidence(), carried, this.#options.rule, this.#isCutOff());
  }

  /** Whether there are several agents and none answers. */
  #isCutOff(): boolean {
    return this.#nodes.size > 1 && [...this.#nodes.values()].every((watch) => (watch.evidence()?.missed ?? 1) > 0);
  }

  #note(slice: Slice, finding: Finding & { vn: string }): void {
    const key = keyOf(finding);
    const nowMs = Math.round(this.#parts.clock.wallMs());
    const { vn, kind, name, evidence } = finding;
    const record = this.#records.get(key);
    const from = record?.state ?? 'unknown';
    const to = advance(from, evidence, this.#options.rule);
    if (record !== undefined && to === from) return;
    const afterMs = record === undefined ? 0 : nowMs - record.since;
    const cause = causeOf(finding, to, this.#nodes.get(name)?.failure);
    this.#records.set(key, { vn, kind, name, state: to, since: nowMs, cause });
    this.#isUnsaved = true;
    if (to !== from) this.#parts.onChange({ slice, vn, kind, name, from, to, afterMs, cause });
  }

  /** Resets what was suspect or down in the old instance to unknown for the new one. */
  #moved(vn: string, to: NamedPlacement): void {
    const nowMs = Math.round(this.#parts.clock.wallMs());
    for (const [key, record] of this.#records) {
      if (record.vn !== vn || record.state === 'up' || record.state === 'unknown') continue;
      const cause = `the VN has moved to placement ${describePlacement(to)}`;
      this.#records.set(key, { ...record, state: 'unknown', since: nowMs, cause });
      this.#isUnsaved = true;
      const { kind, name, state: from } = record;
      const afterMs = nowMs - record.since;
      this.#parts.onChange({ slice: this.#slice!, vn, kind, name, from, to: 'unknown', afterMs, cause });
    }
  }

  #forgetGone(): void {
    for (const [key, { vn, kind, name }] of this.#records) {
      const isThere = kind === 'node' ? this.#nodes.has(name) : this.#vns.has(vn);
      if (isThere) continue;
      this.#records.delete(key);
      this.#isUnsaved = true;
    }
  }
}

function keyOf({ vn, kind, name }: Pick<HealthRecord, 'vn' | 'kind' | 'name'>): string {
  return `${vn}/${kind}/${name}`;
}

function causeOf({ kind, evidence, by }: Finding, to: HealthState, failure: string | undefined): string {
  if (evidence === undefined) return kind === 'node' ? 'its agent has not answered yet' : 'no probe has a result';
  const { missed, answered } = evidence;
  if (to === 'up') {
    const answers = answered === 1 ? '1 answer' : `${answered} answers in a row`;
    return kind === 'node' ? `${answers} from ${by}` : `${answers} to probes from ${by}`;
  }
  if (kind !== 'node') return `no answer to ${missed} probes in a row from ${by}`;
  return `${missed} heartbeats in a row missed, ${by}${failure === undefined ? '' : ` (${failure})`}`;
}
