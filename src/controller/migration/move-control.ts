/**
 * Moves the routing daemon of a router, in one of the ways of control-planes/. There is never one on both nodes: it
 * starts on one node when the other has answered that it has none, or cannot be reached. Each step may be repeated, so
 * an interrupted move continues in either direction.
 */
import { sleep } from '../../clock/sleep.ts';
import { messageOf } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { daemonRouter } from '../../model/router.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import type { RouterMove } from '../../planning/neighbourhood.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import { startDaemon } from '../batches/routers.ts';
import { applyAll, isUnreachable } from '../nodes/agents.ts';
import { stableMs } from '../routing/converge.ts';
import { followingPackets } from './control-packets.ts';
import { graceful } from './control-planes/graceful.ts';
import { controlPlaneWay, refusalOf } from './control-planes/index.ts';
import { restart } from './control-planes/restart.ts';
import type { Carried, CarryingWay, ControlPlace, ControlPlaneWay, RestartingWay } from './control-planes/way.ts';
import { controlPlaneOf, optionsOf } from './journal.ts';
import { awaitRecovered, type Before, reachableTables } from './recovered.ts';
import type { ControlPackets, ControlPlaneMove, Run } from './types.ts';

export interface MovingControl {
  /** Whether the router's daemon-made entries are copied. */
  readonly keepsRoutes: () => boolean;
  /** Notes which neighbours and routes the daemon has, so that it can be seen when they are back. */
  note(): Promise<void>;
  /** Whether the daemon is on the node, and not stopped there. */
  isOn(node: NodeName): Promise<boolean>;
  /** Starts the daemon on the node if it has none, neither a running nor a stopped one. */
  startWhereNone(node: NodeName): Promise<void>;
  /** Moves the daemon from one node to the other, and runs `flip` when its neighbours are to send there. */
  move(from: NodeName, to: NodeName, flip: () => Promise<void>): Promise<void>;
  /**
   * Waits until the daemon on the node has its neighbours and routes again. `placed`: where the other routers' daemons
   * are. Throws VnmError `failed`.
   */
  converge(node: NodeName, placed: Instance): Promise<void>;
  /** Ends what was done for packets of the daemon, on the node where the router is alone now. */
  leaveOne(node: NodeName): Promise<NodeName[]>;
  /** What was measured, once it has moved and converged. */
  measured(): ControlPlaneMove | undefined;
}

/** Returns undefined for a router without a routing daemon. `isBack`: whether the move undoes an earlier one. */
export function movingControl(run: Run, { router, from, to }: RouterMove, isBack: boolean): MovingControl | undefined {
  const { context, agents, old, vn } = run;
  if (daemonRouter(vn, router) === undefined) return undefined;
  const record = context.store.migrations.find(run.id!)!;
  const { name, isAsked } = controlPlaneOf(record, router);
  const packets = followingPackets(run, { router, from, to }, optionsOf(record).holdControl === true && !isBack);
  let way: ControlPlaneWay = controlPlaneWay(name);
  let before: Before | undefined;
  let freezeMs: number | undefined;
  let convergeMs: number | undefined;
  let carried: Carried | undefined;
  let counted: ControlPackets | undefined;

  async function startWhereNone(node: NodeName): Promise<void> {
    if (agents.missing.has(node)) return;
    const { daemons = [] } = await agents.get(node).call('inventory', {});
    const { namespace, start } = placeOn(node);
    if (!daemons.some((daemon) => daemon.namespace === namespace)) await applyAll(agents, new Map([[node, [start]]]));
  }

  async function isOn(node: NodeName): Promise<boolean> {
    const { daemons = [] } = await agents.get(node).call('inventory', {});
    const { namespace } = placeOn(node);
    return daemons.some((daemon) => daemon.namespace === namespace && daemon.state !== 'moving');
  }

  function placeOn(node: NodeName): ControlPlace {
    const start = startDaemon(run, moveRouter(old.instance, router, node), router);
    return { node, namespace: start.namespace, start };
  }

  /**
   * Runs what ends the daemon at `left`. A node that cannot be reached has no daemon that a neighbour hears, once the
   * links lead elsewhere.
   */
  async function endAt(left: NodeName, kept: NodeName, end: () => Promise<void>): Promise<void> {
    try {
      await end();
    } catch (error) {
      if (!isUnreachable(error) || (left === from && !(await isOn(kept)))) throw error;
    }
  }

  async function moveByRestart(
    { leave, arrive, pauseMs }: RestartingWay,
    left: NodeName,
    kept: NodeName,
    flip: () => Promise<void>,
  ): Promise<void> {
    const askedAtMs = performance.now();
    await endAt(left, kept, () => leave(agents, placeOn(left)));
    // Not before the links are flipped: its neighbours' answers would not reach it.
    await Promise.all([flip(), sleep(pauseMs)]);
    await arrive(agents, placeOn(kept));
    freezeMs = performance.now() - askedAtMs;
    await packets.deliver(kept);
  }

  async function moveByCarrying(
    { carry, confirm }: CarryingWay,
    left: NodeName,
    kept: NodeName,
    flip: () => Promise<void>,
  ): Promise<void> {
    try {
      await endAt(left, kept, async () => {
        carried = await carry(agents, placeOn(left), placeOn(kept));
      });
    } catch (error) {
      const other = isUnreachable(error) ? undefined : insteadOf(left, kept);
      if (other === undefined) throw error;
      const text = `the routing daemon of router '${router}' moves by ${other.name}, since ${way.name} failed: ${messageOf(error)}`;
      context.report({ kind: 'note', text });
      way = other;
      await moveByRestart(other, left, kept, flip);
      return;
    }
    if (carried !== undefined) freezeMs = carried.dumpMs + carried.transferMs + carried.restoreMs;
    // Without an answer it may run nevertheless.
    const isThere = carried !== undefined || (await isOn(kept));
    if (isThere) await packets.deliver(kept);
    await flip();
    const askedAtMs = performance.now();
    await confirm(agents, placeOn(kept));
    if (isThere) return;
    context.report({
      kind: 'note',
      text: `the routing daemon of router '${router}' was on neither node: started cold`,
    });
    way = restart;
    freezeMs = performance.now() - askedAtMs;
    await packets.deliver(kept);
  }

  /**
   * The way for a daemon that could not be carried. The one that the user asked for has no other; the way back is taken
   * in any case.
   */
  function insteadOf(left: NodeName, kept: NodeName): RestartingWay | undefined {
    const nodeOf = (one: string) => (one === router ? left : old.instance.placement.get(one)!);
    const refusal = refusalOf(graceful, vn, agents, router, { to: kept, of: nodeOf });
    if (kept === from || isBack) return refusal === undefined ? graceful : restart;
    if (isAsked || refusal !== undefined) return undefined;
    // Who continues the move must know.
    const controlPlanes = { [router]: graceful.name };
    writeIfPossible(context, () => context.store.migrations.progress(run.id!, { controlPlanes }));
    return graceful;
  }

  return {
    keepsRoutes: () => way.keepsRoutes,
    isOn,
    startWhereNone,
    note: async () => {
      before = (await isOn(from)) ? await lookAt(run, placeOn(from)) : undefined;
    },
    move: async (left, kept, flip) => {
      await packets.begin(left, kept, await isOn(kept));
      await ('carry' in way ? moveByCarrying(way, left, kept, flip) : moveByRestart(way, left, kept, flip));
    },
    converge: async (node, placed) => {
      const beganAtMs = performance.now();
      await awaitRecovered({ ...run, old: { ...old, instance: placed } }, router, node, quietMs(), before);
      convergeMs = performance.now() - beganAtMs;
      counted = await packets.counted();
    },
    leaveOne: packets.end,
    measured: () =>
      freezeMs === undefined || convergeMs === undefined
        ? undefined
        : {
            router,
            from,
            to,
            way: way.name,
            cold: way.name === restart.name,
            freezeMs,
            convergeMs,
            ...(carried === undefined ? {} : { checkpoint: carried }),
            ...(counted === undefined ? {} : { packets: counted }),
          },
  };

  /**
   * How long the daemon must have its neighbours. One that was carried has them from the beginning, also if no packet
   * reaches it: that is seen after their dead interval.
   */
  function quietMs(): number {
    return stableMs + ('carry' in way ? 1000 * (vn.routing?.deadS ?? 0) : 0);
  }
}

async function lookAt(run: Run, { node, namespace }: ControlPlace): Promise<Before> {
  const [state, tables] = await Promise.all([
    run.agents.get(node).call('daemon_state', { namespace }),
    reachableTables(run, run.old.instance),
  ]);
  return { state, tables };
}
