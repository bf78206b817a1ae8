/** Judges nodes, routers, tunnels and paths by the probes of all gateways and the answers of the agents. Pure. */
import type { NodeName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { HealthKind } from '../../store/health.ts';
import { best, type Evidence, type Rule } from './rule.ts';
import type { Target, WatchPlan } from './watch-plan.ts';

/** By the watcher's name, its probes by name. A watcher whose agent does not report is missing. */
export type Reports = ReadonlyMap<string, ReadonlyMap<string, Evidence>>;

export interface Finding {
  readonly kind: HealthKind;
  readonly name: string;
  /** Undefined if no probe has a result. */
  readonly evidence: Evidence | undefined;
  /** The source of the evidence; for a node that misses heartbeats, a clause that says who does not answer. */
  readonly by: string;
}

interface Observation {
  readonly watcher: string;
  readonly target: Target;
  readonly evidence: Evidence;
}

/** Judges the routers, tunnels and paths of a VN. */
export function judgeVn(vn: VirtualNetwork, plan: WatchPlan, reports: Reports): Finding[] {
  const observations = plan.watchers.flatMap(({ name: watcher, targets }): Observation[] => {
    const probes = reports.get(watcher);
    return targets.flatMap((target) => {
      const evidence = probes?.get(target.name);
      if (evidence === undefined || evidence.missed + evidence.answered === 0) return [];
      // A probe that passes a router that does not answer says nothing about what is behind that router.
      const before = target.after === undefined ? undefined : probes?.get(target.after);
      const isBlind = evidence.missed > 0 && before !== undefined && before.missed > 0;
      return isBlind ? [] : [{ watcher, target, evidence }];
    });
  });
  const of = (which: (observation: Observation) => boolean) => {
    const found = observations.filter(which);
    const by = [...new Set(found.map(({ watcher }) => watcher))].join(', ');
    return { evidence: best(found.map(({ evidence }) => evidence)), by };
  };
  return [
    ...routerNames(vn).map((router) =>
      finding(
        'router',
        router,
        of(({ target }) => target.name === `router:${router}`),
      ),
    ),
    ...plan.tunnels.map((tunnel) =>
      finding(
        'tunnel',
        tunnel,
        of(({ target }) => target.tunnel === tunnel),
      ),
    ),
    ...plan.paths.map(({ from, to }) =>
      finding(
        'path',
        `${from}-${to}`,
        of(({ watcher, target }) => watcher === `gateway ${from}` && target.name === `gateway:${to}`),
      ),
    ),
  ];
}

function finding(
  kind: HealthKind,
  name: string,
  { evidence, by }: { evidence: Evidence | undefined; by: string },
): Finding {
  return { kind, name, evidence, by: by === '' ? 'no probe' : by };
}

/**
 * A node is up if its agent or anything on it answers: a node that the controller cannot reach need not be down.
 * `carried` is the evidence of the probes of what is on the node. Without any, only the agent counts, with three times
 * the patience. If no agent answers at all (`isCutOff`), the controller itself may be cut off.
 */
export function judgeNode(
  name: string,
  heartbeat: Evidence | undefined,
  carried: readonly (Evidence | undefined)[],
  { downAfter }: Pick<Rule, 'downAfter'>,
  isCutOff = false,
): Finding {
  const answering = best(carried.filter((evidence) => evidence !== undefined));
  if (heartbeat === undefined || heartbeat.missed === 0)
    return { kind: 'node', name, evidence: heartbeat, by: 'its agent' };
  if (answering === undefined) {
    const missed = Math.floor(heartbeat.missed / 3);
    return isCutOff
      ? {
          kind: 'node',
          name,
          evidence: { missed: Math.min(missed, downAfter - 1), answered: 0 },
          by: 'no agent answers',
        }
      : { kind: 'node', name, evidence: { missed, answered: 0 }, by: 'its agent does not answer' };
  }
  if (answering.missed === 0) {
    const evidence = { missed: Math.min(heartbeat.missed, downAfter - 1), answered: 0 };
    return { kind: 'node', name, evidence, by: 'its agent does not answer, but something on it does' };
  }
  return {
    kind: 'node',
    name,
    evidence: { missed: Math.min(heartbeat.missed, answering.missed), answered: 0 },
    by: 'neither its agent nor anything on it answers',
  };
}

/** Returns the routers on a node. */
export function routersOn(instance: Instance, node: NodeName): string[] {
  return [...instance.placement].flatMap(([router, at]) => (at === node ? [router] : []));
}
