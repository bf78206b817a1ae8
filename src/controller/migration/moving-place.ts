/**
 * The two places of a router that moves, and its links at the neighbours: what all methods that move routers do with
 * them. Everything may be done twice.
 */
import { sleep } from '../../clock/sleep.ts';
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { isSwitch } from '../../model/router.ts';
import { declaredLatencyMs } from '../../model/slice.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { neighbourNodes, type RouterMove } from '../../planning/neighbourhood.ts';
import type { InterfaceCounters } from '../../vsys/messages.ts';
import type { PhaseName } from '../base/phase.ts';
import { namespaceOf } from '../batches/operations.ts';
import { removePlace, setUpNewPlace } from '../batches/second-place.ts';
import { applyAll, applyWhereReachable, isUnreachable } from '../nodes/agents.ts';
import { refuseCollisions } from '../nodes/collisions.ts';
import { noteUnfiltered } from '../nodes/unfiltered.ts';
import { flowFlips } from './flow-flips.ts';
import { tunnelFlips } from './link-flips.ts';
import type { MoveProgress } from './move-progress.ts';
import type { Run } from './types.ts';

/** How long a place must receive nothing before it counts as unused, beyond what may be in flight. */
const quietMarginMs = 500;
/** The longest wait for that; then somebody else sends there. */
const longestDrainMs = 15_000;
const pollMs = 100;

export interface MovingPlace {
  /** The instance with the router at its new place. */
  readonly fresh: Instance;
  /** The nodes at the other ends of the router's links. */
  readonly neighbours: readonly NodeName[];
  readonly namespaceAt: (node: NodeName) => string;
  /**
   * Makes the new place, empty, in place of what an earlier attempt left there; neighbours accept packets from both.
   */
  setUp(): Promise<void>;
  /** Makes the neighbours send to the new place, one link after the other. */
  flipLinks(): Promise<void>;
  /** Makes all neighbours send to the old place. */
  flipBack(): Promise<void>;
  /** Waits until the place on the node receives nothing any more. */
  drain(node: NodeName): Promise<void>;
  /** Leaves the router only on `kept`. Returns the nodes that could not be reached. */
  leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]>;
}

export function movingPlace(
  run: Run,
  move: RouterMove,
  { begin, progress }: { readonly begin: (phase: PhaseName) => void; readonly progress: MoveProgress },
): MovingPlace {
  const { context, agents, vn, old } = run;
  const { router, to } = move;
  const { instance } = old;
  const { instances } = context.store;
  const links = (isSwitch(vn, router) ? flowFlips : tunnelFlips)(run, move, progress);
  const neighbours = neighbourNodes(instance, router);
  const namespaceAt = (node: NodeName) => namespaceOf(moveRouter(instance, router, node), router, agents);

  async function setUp(): Promise<void> {
    if (instances.plan(old.record.id).moving?.has(router) !== true)
      instances.beginMove(old.record.id, router, { node: to, namespace: namespaceAt(to) });
    await refuseCollisions(agents, [to], context.signal);
    noteUnfiltered(context, agents, [to]);
    // An earlier attempt may have left routes there that the router no longer has.
    await applyAll(agents, removePlace(run, instance, router, to));
    await applyAll(agents, setUpNewPlace(run, instance, router, to));
    await links.admit();
  }

  async function flipLinks(): Promise<void> {
    begin('flip');
    await links.flip();
  }

  async function flipBack(): Promise<void> {
    // Neighbours do not hear a place that cannot be asked whether it still has a control plane.
    await links.back(agents.missing.has(to) ? undefined : to);
  }

  async function drain(node: NodeName): Promise<void> {
    const { slice } = run;
    const inFlightMs = Math.max(
      ...neighbours.map((neighbour) => declaredLatencyMs(slice.latency, neighbour, node)),
      ...neighbours.map((neighbour) => declaredLatencyMs(slice.latency, node, neighbour)),
    );
    const quietMs = 2 * inFlightMs + quietMarginMs;
    const beganAtMs = performance.now();
    let [last, sinceMs] = [await received(node), beganAtMs];
    while (performance.now() - sinceMs < quietMs) {
      if (performance.now() - beganAtMs > Math.max(longestDrainMs, 2 * quietMs)) {
        const text = `removing router '${router}' from node '${node}' although packets still arrive there: no neighbour sends them`;
        context.report({ kind: 'note', text });
        return;
      }
      await sleep(pollMs);
      const now = await received(node);
      if (now !== last) [last, sinceMs] = [now, performance.now()];
    }
  }

  /** The number of packets that the place has received; undefined if its node is unreachable. */
  async function received(node: NodeName): Promise<number | undefined> {
    if (agents.missing.has(node)) return undefined;
    const interfaces = await countersOf(node);
    const namespace = namespaceAt(node);
    return interfaces
      .filter((one) => one.namespace === namespace)
      .reduce((sum, { receivedPackets }) => sum + receivedPackets, 0);
  }

  /** Nothing where the node is unreachable, or its policy does not let the slice count. */
  async function countersOf(node: NodeName): Promise<readonly InterfaceCounters[]> {
    try {
      return (await agents.get(node).call('counters', {})).interfaces;
    } catch (error) {
      if (isUnreachable(error) || (error instanceof VnmError && error.code === 'forbidden')) return [];
      throw error;
    }
  }

  async function leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]> {
    return [
      ...(await applyWhereReachable(agents, links.settle(kept), agents.givenUp)),
      ...(await applyWhereReachable(agents, removePlace(run, instance, router, gone), agents.givenUp)),
    ];
  }

  return {
    fresh: moveRouter(instance, router, to),
    neighbours,
    namespaceAt,
    setUp,
    flipLinks,
    flipBack,
    drain,
    leaveOne,
  };
}
