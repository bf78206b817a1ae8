/**
 * Moves the routing daemon of a router, in one of the ways of control-planes/. There is never one on both nodes: it
 * starts on one node when the other has answered that it has none, or cannot be reached. Each step may be repeated, so
 * an interrupted move continues in either direction.
 */
import { sleep } from '../../clock/sleep.ts';
import type { NodeName } from '../../model/names.ts';
import { daemonRouter } from '../../model/router.ts';
import { moveRouter } from '../../planning/instance.ts';
import type { RouterMove } from '../../planning/neighbourhood.ts';
import { startDaemon } from '../batches/routers.ts';
import { isUnreachable } from '../nodes/agents.ts';
import { controlPlaneWay } from './control-planes/index.ts';
import { type ControlPlaneName, usualControlPlane } from './control-planes/names.ts';
import type { ControlPlace } from './control-planes/way.ts';
import { awaitRecovered, type Before, reachableTables } from './recovered.ts';
import type { ControlPlaneMove, Run } from './types.ts';

export interface MovingControl {
  /** Whether the router's daemon-made entries are copied. */
  readonly keepsRoutes: boolean;
  /** Notes which neighbours and routes the daemon has, so that it can be seen when they are back. */
  note(): Promise<void>;
  /** Whether the daemon is on the node. */
  isOn(node: NodeName): Promise<boolean>;
  /** Ends the daemon on one node and starts it on the other; meanwhile, once it has ended, runs `flip`. */
  move(from: NodeName, to: NodeName, flip: () => Promise<void>): Promise<void>;
  /** Waits until the daemon on the node has its neighbours and routes again. Throws VnmError `failed`. */
  converge(node: NodeName): Promise<void>;
  /** What was measured, once it has moved and converged. */
  measured(): ControlPlaneMove | undefined;
}

/** Returns undefined for a router without a routing daemon. */
export function movingControl(
  run: Run,
  { router, from, to }: RouterMove,
  name: ControlPlaneName = usualControlPlane,
): MovingControl | undefined {
  const { agents, old, vn } = run;
  if (daemonRouter(vn, router) === undefined) return undefined;
  const way = controlPlaneWay(name);
  let before: Before | undefined;
  let freezeMs: number | undefined;
  let convergeMs: number | undefined;

  async function isOn(node: NodeName): Promise<boolean> {
    const { daemons = [] } = await agents.get(node).call('inventory', {});
    const { namespace } = placeOn(node);
    return daemons.some((daemon) => daemon.namespace === namespace);
  }

  function placeOn(node: NodeName): ControlPlace {
    const start = startDaemon(run, moveRouter(old.instance, router, node), router);
    return { node, namespace: start.namespace, start };
  }

  /** A node that cannot be reached has no daemon that a neighbour hears, once the links lead elsewhere. */
  async function leave(node: NodeName, other: NodeName): Promise<void> {
    try {
      await way.leave(agents, placeOn(node));
    } catch (error) {
      if (!isUnreachable(error) || node === from || other !== from) throw error;
    }
  }

  return {
    keepsRoutes: way.keepsRoutes,
    isOn,
    note: async () => {
      before = (await isOn(from)) ? await lookAt(run, placeOn(from)) : undefined;
    },
    move: async (left, kept, flip) => {
      const askedAtMs = performance.now();
      await leave(left, kept);
      // Not before the links are flipped: its neighbours' answers would not reach it.
      await Promise.all([flip(), sleep(way.pauseMs)]);
      await way.arrive(agents, placeOn(kept));
      freezeMs = performance.now() - askedAtMs;
    },
    converge: async (node) => {
      const beganAtMs = performance.now();
      await awaitRecovered(run, router, node, before);
      convergeMs = performance.now() - beganAtMs;
    },
    measured: () =>
      freezeMs === undefined || convergeMs === undefined
        ? undefined
        : { router, from, to, way: name, cold: !way.keepsRoutes, freezeMs, convergeMs },
  };
}

async function lookAt(run: Run, { node, namespace }: ControlPlace): Promise<Before> {
  const [state, tables] = await Promise.all([
    run.agents.get(node).call('daemon_state', { namespace }),
    reachableTables(run, run.old.instance),
  ]);
  return { state, tables };
}
