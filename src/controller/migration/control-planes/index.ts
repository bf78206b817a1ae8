/** The ways by name, and which of them a router takes. */
import { VnmError } from '../../../model/errors.ts';
import type { RouterName } from '../../../model/names.ts';
import { daemonRouter } from '../../../model/router.ts';
import type { Placement, VirtualNetwork } from '../../../model/slice.ts';
import type { RouterMove } from '../../../planning/neighbourhood.ts';
import type { Agents } from '../../nodes/agents.ts';
import { checkpoint } from './checkpoint.ts';
import { graceful } from './graceful.ts';
import type { ControlPlaneName } from './names.ts';
import { restart } from './restart.ts';
import type { ControlPlaneWay, NodesOf } from './way.ts';

const ways: Readonly<Record<ControlPlaneName, ControlPlaneWay>> = { checkpoint, graceful, restart };

/** Those that lose nothing, the one that neighbours notice least first. */
const quietWays = [checkpoint, graceful] as const satisfies readonly ControlPlaneWay[];

export function controlPlaneWay(name: ControlPlaneName): ControlPlaneWay {
  return ways[name];
}

/**
 * Returns how the daemon of each moving router moves: as asked, or else in the quietest way that its nodes can. Throws
 * VnmError `unsupported`, with what to configure, if one cannot.
 */
export function chooseWays(
  vn: VirtualNetwork,
  agents: Agents,
  placement: Placement,
  moves: readonly RouterMove[],
  asked: ControlPlaneName | undefined,
): Map<RouterName, ControlPlaneName> {
  const nodeNow = new Map(placement);
  const chosen = new Map<RouterName, ControlPlaneName>();
  for (const { router, to } of moves) {
    if (daemonRouter(vn, router) !== undefined) {
      const nodes: NodesOf = { to, of: (one) => nodeNow.get(one)! };
      if (asked !== undefined) ways[asked].refuse(vn, agents, router, nodes);
      chosen.set(router, asked ?? quietest(vn, agents, router, nodes));
    }
    nodeNow.set(router, to);
  }
  return chosen;
}

function quietest(vn: VirtualNetwork, agents: Agents, router: RouterName, nodes: NodesOf): ControlPlaneName {
  const refusals: VnmError[] = [];
  for (const way of quietWays) {
    const refusal = refusalOf(way, vn, agents, router, nodes);
    if (refusal === undefined) return way.name;
    refusals.push(refusal);
  }
  const last = refusals.at(-1)!;
  throw new VnmError('unsupported', refusals.map(({ message }) => message).join('\n'), {
    hint: last.hint,
    cause: last,
  });
}

/** Why this router cannot move in this way; undefined if it can. */
export function refusalOf(
  way: ControlPlaneWay,
  vn: VirtualNetwork,
  agents: Agents,
  router: RouterName,
  nodes: NodesOf,
): VnmError | undefined {
  try {
    way.refuse(vn, agents, router, nodes);
    return undefined;
  } catch (error) {
    if (error instanceof VnmError && error.code === 'unsupported') return error;
    throw error;
  }
}
