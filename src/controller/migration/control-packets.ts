/**
 * OSPF packets that arrive at a moving router while its daemon is on its way (VROOM, section 1; decision 42). From
 * before the daemon ends or stops, the place that it leaves sends copies to the other one. With `--hold-control` they
 * wait there, together with those that come directly, until the daemon runs. All of it goes with the old place. On the
 * way back none waits: if that fails, a daemon must not be left deaf behind a closed gate.
 */
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { daemonRouter } from '../../model/router.ts';
import type { Placement, VirtualNetwork } from '../../model/slice.ts';
import { moveRouter } from '../../planning/instance.ts';
import type { RouterMove } from '../../planning/neighbourhood.ts';
import type { ControlReport } from '../../vsys/messages.ts';
import type { Context } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import { sendControlOn, takeControlFrom, takeControlFromNone } from '../batches/second-place.ts';
import { type Agents, applyAll, applyWhereReachable, hasFeature, isUnreachable } from '../nodes/agents.ts';
import type { ControlPackets, Run } from './types.ts';

export interface FollowingPackets {
  /**
   * Makes them follow from `left`, where the daemon ends next, to `kept`. `isThere`: the daemon is on `kept` already,
   * so none is held.
   */
  begin(left: NodeName, kept: NodeName, isThere: boolean): Promise<void>;
  /** Gives the daemon on `kept`, which runs, what was held. */
  deliver(kept: NodeName): Promise<void>;
  /** Ends all of it on the node where the router is alone now. Returns the nodes where that was not possible. */
  end(kept: NodeName): Promise<string[]>;
  /** How many there were until now; undefined if they did not follow, or are not known. */
  counted(): Promise<ControlPackets | undefined>;
}

/** `holds`: whether the user asked for `--hold-control`. */
export function followingPackets(run: Run, { router, from, to }: RouterMove, holds: boolean): FollowingPackets {
  const { agents, old, vn } = run;
  const { instance } = old;
  let held: Pick<ControlPackets, 'held' | 'dropped'> | undefined;
  let isHolding = false;
  const holdsAt = (kept: NodeName) => holds && kept === to;
  const isPossible = () =>
    vn.routing !== undefined &&
    [from, to].every((node) => agents.missing.has(node) || lackOf(agents, node) === undefined);

  async function reportOf(node: NodeName): Promise<ControlReport | undefined> {
    const { control = [] } = await agents.get(node).call('inventory', {});
    const namespace = namespaceOf(moveRouter(instance, router, node), router, agents);
    return control.find((one) => one.namespace === namespace);
  }

  return {
    begin: async (left, kept, isThere) => {
      if (!isPossible()) return;
      isHolding = holdsAt(kept) && !isThere;
      const gate = !holdsAt(kept) ? 'none' : isHolding ? 'closed' : 'open';
      await applyAll(agents, takeControlFrom(run, instance, router, kept, left, gate));
      try {
        await applyAll(agents, sendControlOn(run, instance, router, left, kept));
      } catch (error) {
        // Whether the daemon can leave it nevertheless is for others to say.
        if (!isUnreachable(error)) throw error;
      }
    },
    deliver: async (kept) => {
      if (!holdsAt(kept) || !isPossible()) return;
      await applyAll(agents, takeControlFrom(run, instance, router, kept, from, 'open'));
      if (!isHolding) return;
      isHolding = false;
      const { held: packets = 0, dropped = 0 } = (await reportOf(kept).catch(unlessUnreachable)) ?? {};
      held = { held: packets, dropped };
    },
    end: async (kept) => {
      if (!isPossible()) return [];
      try {
        return await applyWhereReachable(agents, takeControlFromNone(run, instance, router, kept), agents.givenUp);
      } catch (error) {
        // Where the router has gone, so has this.
        if (error instanceof VnmError && error.code === 'not-found') return [];
        throw error;
      }
    },
    counted: async () => {
      const sentOn = isPossible() ? (await reportOf(from).catch(unlessUnreachable))?.sent : undefined;
      return sentOn === undefined ? undefined : { sentOn, ...held };
    },
  };
}

/** No count is worth a move. */
function unlessUnreachable(error: unknown): undefined {
  if (!isUnreachable(error)) throw error;
}

/**
 * Reports the nodes where OSPF packets cannot follow a daemon that moves. With `holds` throws VnmError `unsupported`
 * instead, and `usage` if no router that moves speaks OSPF.
 */
export function checkFollowing(
  context: Pick<Context, 'report'>,
  vn: VirtualNetwork,
  agents: Agents,
  placement: Placement,
  moves: readonly RouterMove[],
  holds: boolean,
): void {
  const living = moves.filter(({ router }) => vn.routing !== undefined && daemonRouter(vn, router) !== undefined);
  if (holds && living.length === 0) {
    throw new VnmError('usage', '--hold-control has nothing to hold: no router that moves speaks OSPF', {
      hint: 'leave it out',
    });
  }
  for (const node of new Set(living.flatMap(({ router, to }) => [placement.get(router)!, to]))) {
    const lack = lackOf(agents, node);
    if (lack === undefined) continue;
    if (holds) {
      throw new VnmError('unsupported', `--hold-control is not possible: node '${node}': ${lack}`, {
        hint: 'leave it out; then OSPF packets that arrive while a daemon moves may be lost, as in any network',
      });
    }
    const text = `OSPF packets that arrive while a routing daemon moves do not follow it: node '${node}': ${lack}`;
    context.report({ kind: 'note', text });
  }
}

/** Why a node cannot do it; undefined if it can. */
function lackOf(agents: Agents, node: NodeName): string | undefined {
  const { facts } = agents.get(node);
  if (hasFeature(facts, 'control-packets')) return undefined;
  const feature = facts.features.find(({ name }) => name === 'control-packets');
  return feature?.detail ?? 'its agent cannot copy or hold OSPF packets';
}
