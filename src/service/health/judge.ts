/** What the probes of all gateways, and the agents' own answers, say of each thing. Pure. */
import type { NodeName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { HealthKind } from '../../store/health.ts';
import { best, type Evidence, type Rule } from './rule.ts';
import type { Target, WatchPlan } from './watch-plan.ts';

/** The probes of a watcher by their names; none where its agent does not tell. By the watchers' names. */
export type Reports = ReadonlyMap<string, ReadonlyMap<string, Evidence>>;

export interface Finding {
  readonly kind: HealthKind;
  readonly name: string;
  /** Undefined where no probe can tell. */
  readonly evidence: Evidence | undefined;
  /** The source of the evidence, or why there is none. */
  readonly by: string;
}

interface Look {
  readonly watcher: string;
  readonly target: Target;
  readonly evidence: Evidence;
}

/** Routers, tunnels and paths of a VN. */
export function judgeVn(vn: VirtualNetwork, plan: WatchPlan, reports: Reports): Finding[] {
  const looks = plan.watchers.flatMap(({ name: watcher, targets }): Look[] => {
    const probes = reports.get(watcher);
    return targets.flatMap((target) => {
      const evidence = probes?.get(target.name);
      if (evidence === undefined || evidence.missed + evidence.answered === 0) return [];
      // What lies behind something that does not answer cannot be told by whoever looks through it.
      const before = target.after === undefined ? undefined : probes?.get(target.after);
      const isBlind = evidence.missed > 0 && before !== undefined && before.missed > 0;
      return isBlind ? [] : [{ watcher, target, evidence }];
    });
  });
  const of = (which: (look: Look) => boolean) => {
    const found = looks.filter(which);
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
 * A node is there if its agent answers, or anything on it: a controller that cannot reach it is no reason to say that it is dead.
 * `carried`: what the probes say of what is on it. Without any only the agent can tell, and gets three times the patience; where no
 * agent answers at all (`isCutOff`) the unreachable side may as well be the controller.
 */
export function judgeNode(
  name: string,
  heartbeat: Evidence | undefined,
  carried: readonly (Evidence | undefined)[],
  { downAfter }: Pick<Rule, 'downAfter'>,
  isCutOff = false,
): Finding {
  const told = carried.filter((evidence) => evidence !== undefined);
  const answering = best(told);
  if (heartbeat === undefined || heartbeat.missed === 0)
    return { kind: 'node', name, evidence: heartbeat, by: 'its agent' };
  if (answering === undefined) {
    const missed = Math.floor(heartbeat.missed / 3);
    return isCutOff
      ? { kind: 'node', name, evidence: { missed: Math.min(missed, downAfter - 1), answered: 0 }, by: 'all agents' }
      : { kind: 'node', name, evidence: { missed, answered: 0 }, by: 'its agent alone' };
  }
  if (answering.missed === 0) {
    const evidence = { missed: Math.min(heartbeat.missed, downAfter - 1), answered: 0 };
    return { kind: 'node', name, evidence, by: 'its agent, while what is on it answers' };
  }
  return {
    kind: 'node',
    name,
    evidence: { missed: Math.min(heartbeat.missed, answering.missed), answered: 0 },
    by: 'its agent and all who probe what is on it',
  };
}

/** The routers that a node carries. */
export function routersOn(instance: Instance, node: NodeName): string[] {
  return [...instance.placement].flatMap(([router, at]) => (at === node ? [router] : []));
}
