/**
 * VROOM (SIGCOMM 2008, section 3): moves one router, which keeps its name, addresses and neighbours. The router gets a
 * second place on the new node, with the same interfaces and routes. Both places forward while the neighbours flip
 * their links one after the other, and the old place goes when nothing arrives there any more. No interface of a
 * neighbour changes, so no reverse-path check drops anything. Undone by flipping the links back. Which router does what
 * when is in move-group.ts.
 */
import { sleep } from '../../../clock/sleep.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { NodeName } from '../../../model/names.ts';
import type { PackedRoutes } from '../../../model/packed-routes.ts';
import { isSwitch } from '../../../model/router.ts';
import { declaredLatencyMs } from '../../../model/slice.ts';
import { type Instance, moveRouter } from '../../../planning/instance.ts';
import { neighbourNodes, type RouterMove } from '../../../planning/neighbourhood.ts';
import type { InterfaceCounters } from '../../../vsys/messages.ts';
import type { MethodName, PhaseName } from '../../base/phase.ts';
import { namespaceOf } from '../../batches/operations.ts';
import { removePlace, setUpNewPlace } from '../../batches/second-place.ts';
import { applyAll, applyWhereReachable, isUnreachable } from '../../nodes/agents.ts';
import { refuseCollisions } from '../../nodes/collisions.ts';
import { noteUnfiltered } from '../../nodes/unfiltered.ts';
import { type Copied, putCopied, readCopied } from '../../routing/copied.ts';
import { flowFlips } from '../flow-flips.ts';
import { tunnelFlips } from '../link-flips.ts';
import type { Method } from '../method.ts';
import { type MovingControl, movingControl } from '../move-control.ts';
import type { MoveProgress } from '../move-progress.ts';
import { countEvents } from '../neighbour-events.ts';
import { type MigrationOptions, usualOptions } from '../options.ts';
import type { NeighbourEvents, Run } from '../types.ts';

/** How long a place must receive nothing before it counts as unused, beyond what may be in flight. */
const quietMarginMs = 500;
/** The longest wait for that; then somebody else sends there. */
const longestDrainMs = 15_000;
const pollMs = 100;

export const vroomMethod: Method = {
  refuse: (options) => refuseRedirections('vroom', options),
  refuseOn: () => {},
};

/** Throws VnmError `usage` for options that only redirections of gateways have. */
export function refuseRedirections(
  method: MethodName,
  { schedule, control, granularity, urpf }: MigrationOptions,
): void {
  const needless = [
    ...(schedule === usualOptions.schedule ? [] : [`--schedule ${schedule}`]),
    ...(control === usualOptions.control ? [] : [`--control ${control}`]),
    ...(granularity === usualOptions.granularity ? [] : [`--granularity ${granularity}`]),
    ...(urpf === undefined ? [] : [`--urpf ${urpf}`]),
  ];
  if (needless.length === 0) return;
  throw new VnmError('usage', `method ${method} redirects no gateway, so it has no ${needless.join(', no ')}`, {
    hint: 'leave that out, or use --method instance',
  });
}

/** What each step of a move does with one router. Everything may be done twice. */
export interface MovingRouter {
  readonly move: RouterMove;
  /** The nodes at the other ends of its links. */
  readonly neighbours: readonly NodeName[];
  /** Whether it has a routing daemon. */
  readonly isLiving: boolean;
  /** Makes its new place, without routes. */
  setUp(): Promise<void>;
  /** Makes the new place forward by the routes that the old one has now. */
  copyRoutes(): Promise<void>;
  /** Notes what must be the same after the move, once everything is ready for it. */
  note(): Promise<void>;
  /**
   * Makes the neighbours send to the new place, one link after the other; its routing daemon moves with it. `placed`:
   * where the other routers' daemons are.
   */
  flip(placed: Instance): Promise<void>;
  /** What its neighbours have noticed since `note`. */
  readEvents(): Promise<readonly NeighbourEvents[]>;
  /** Waits until its place on the node receives nothing any more. */
  drain(node: NodeName): Promise<void>;
  /** Leaves the router only on `kept`. Returns the nodes that could not be reached. */
  leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]>;
  /** Makes sure that its routing daemon is at the old place, where the router is alone. */
  keepDaemon(): Promise<void>;
  /** As `flip`, to the old place. */
  sendBack(placed: Instance): Promise<void>;
}

/** `begin`: begins a phase, unless it is the present one. `isBack`: whether the move undoes an earlier one. */
export function movingRouter(
  run: Run,
  move: RouterMove,
  {
    begin,
    progress,
    isBack,
  }: { readonly begin: (phase: PhaseName) => void; readonly progress: MoveProgress; readonly isBack: boolean },
): MovingRouter {
  const { context, agents, vn, old } = run;
  const { router, from, to } = move;
  const { instance } = old;
  const fresh = moveRouter(instance, router, to);
  const { instances } = context.store;
  /** What the new place has; unknown where an earlier controller set it up. */
  let there: readonly PackedRoutes[] | undefined;
  /** What was last read from the old one. */
  let copied: Copied | undefined;
  const links = (isSwitch(vn, router) ? flowFlips : tunnelFlips)(run, move, progress);
  const control = movingControl(run, move, isBack);
  const events = countEvents(run, router);
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
    there = [];
  }

  async function note(): Promise<void> {
    await events.begin();
    await control?.note();
    await copyRoutes();
  }

  /** With the routes that a daemon added, where these stay when it ends. */
  async function copyRoutes(): Promise<void> {
    const withDaemons = control?.keepsRoutes() ?? false;
    const live = await readCopied(agents, vn, router, { from: instance, to: fresh }, withDaemons, copied);
    const { routes } = live;
    there ??= (await readCopied(agents, vn, router, { from: fresh, to: fresh }, withDaemons)).routes;
    await applyAll(agents, putCopied(vn, fresh, router, there, routes, agents));
    [copied, there] = [live, routes];
  }

  async function flip(placed: Instance): Promise<void> {
    if (control === undefined) {
      await flipLinks();
      // All traffic is on the new place.
      await copyRoutes().catch(noteUnreachable);
      return;
    }
    begin('move control plane');
    const isThere = await control.isOn(to);
    await control.move(from, to, async () => {
      if (!isThere) await copyRoutes();
      // From its start on the daemon knows better than copies of its routes.
      else if (!control.keepsRoutes()) await copyRoutes().catch(noteUnreachable);
      await flipLinks();
    });
    begin('converge');
    await control.converge(to, placed);
    const measured = control.measured();
    if (measured !== undefined && !isThere) progress.controlPlanes.push(measured);
  }

  /** The new place stays with the routes that it has. */
  function noteUnreachable(error: unknown): void {
    if (!isUnreachable(error)) throw error;
    context.report({ kind: 'note', text: messageOf(error) });
  }

  async function flipLinks(): Promise<void> {
    begin('flip');
    await links.flip();
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
      ...((await control?.leaveOne(kept)) ?? []),
    ];
  }

  async function sendBack(placed: Instance): Promise<void> {
    const flipBack = () => {
      // Neighbours do not hear a place that cannot be asked whether it still has a control plane.
      const other = agents.missing.has(to) ? undefined : to;
      return links.back(other);
    };
    if (control === undefined) await flipBack();
    else await sendControlBack(control, flipBack, placed);
  }

  async function sendControlBack(
    moving: MovingControl,
    flipBack: () => Promise<unknown>,
    placed: Instance,
  ): Promise<void> {
    await moving.move(to, from, async () => {
      await flipBack();
    });
    try {
      await moving.converge(from, placed);
    } catch (error) {
      context.report({ kind: 'note', text: messageOf(error) });
    }
  }

  return {
    move,
    neighbours,
    isLiving: control !== undefined,
    setUp,
    copyRoutes,
    note,
    flip,
    readEvents: events.read,
    drain,
    leaveOne,
    keepDaemon: async () => control?.startWhereNone(from),
    sendBack,
  };
}
