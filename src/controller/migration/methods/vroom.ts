/**
 * VROOM (SIGCOMM 2008, section 3): moves one router, which keeps its name, addresses and neighbours. The router gets a
 * second place on the new node, with the same interfaces and routes. Both places forward while the neighbours flip
 * their links one after the other, and the old place goes when nothing arrives there any more. No interface of a
 * neighbour changes, so no reverse-path check drops anything. Undone by flipping the links back.
 */
import { sleep } from '../../../clock/sleep.ts';
import type { DaemonKind } from '../../../model/daemon.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { NodeName } from '../../../model/names.ts';
import { daemonRouter } from '../../../model/router.ts';
import { declaredLatencyMs, isSamePlacement } from '../../../model/slice.ts';
import { type Instance, moveRouter } from '../../../planning/instance.ts';
import { neighbourNodes, type RouterMove } from '../../../planning/neighbourhood.ts';
import type { RoutingState } from '../../../planning/routes.ts';
import type { InterfaceCounters } from '../../../vsys/messages.ts';
import { writeIfPossible } from '../../base/best-effort.ts';
import { edgeNodes } from '../../base/resolve.ts';
import { namespaceOf } from '../../batches/operations.ts';
import { removePlace, sendAllTo, sendTo, setUpNewPlace } from '../../batches/second-place.ts';
import { applyAll, applyWhereReachable, isUnreachable } from '../../nodes/agents.ts';
import { refuseCollisions } from '../../nodes/collisions.ts';
import { noteUnfiltered } from '../../nodes/unfiltered.ts';
import { putCopied, readCopied } from '../../routing/copied.ts';
import { applyRoutes, readTranslated } from '../../routing/translated.ts';
import { notRecorded, reportLeftOver, reportUnproven } from '../finish.ts';
import { baselineOf } from '../journal.ts';
import type { Method, Steps } from '../method.ts';
import { type MovingControl, movingControl } from '../move-control.ts';
import { countEvents } from '../neighbour-events.ts';
import { usualOptions } from '../options.ts';
import { type Pair, type Proof, proveEndHosts } from '../proof.ts';
import { removeTrial, tryPaths } from '../try-paths.ts';
import type { ControlPlaneMove, Flip, NeighbourEvents, Run } from '../types.ts';

/** How long a place must receive nothing before it counts as unused, beyond what may be in flight. */
const quietMarginMs = 500;
/** The longest wait for that; then somebody else sends there. */
const longestDrainMs = 15_000;
const pollMs = 100;

/** What the steps of one move have found and done so far. */
export interface MoveProgress {
  readonly flips: Flip[];
  readonly controlPlanes: ControlPlaneMove[];
  readonly neighbourEvents: NeighbourEvents[];
  unproven: readonly Pair[];
}

export const vroomMethod: Method = {
  refuse(options) {
    const { schedule, control, granularity, urpf } = options;
    const needless = [
      ...(schedule === usualOptions.schedule ? [] : [`--schedule ${schedule}`]),
      ...(control === usualOptions.control ? [] : [`--control ${control}`]),
      ...(granularity === usualOptions.granularity ? [] : [`--granularity ${granularity}`]),
      ...(urpf === undefined ? [] : [`--urpf ${urpf}`]),
    ];
    if (needless.length === 0) return;
    throw new VnmError('usage', `method vroom redirects no gateway, so it has no ${needless.join(', no ')}`, {
      hint: 'leave that out, or use --method instance',
    });
  },
  refuseOn: () => {},
};

/** `isBack`: whether the move undoes an earlier one, which no signal stops. */
export function stepsOfMove(
  run: Run,
  move: RouterMove,
  { isBack, progress }: { readonly isBack: boolean; readonly progress: MoveProgress },
): Steps {
  const { context, agents, vn, old, phases } = run;
  const { router, from, to } = move;
  const { instance } = old;
  const fresh = moveRouter(instance, router, to);
  const { instances } = context.store;
  /** What the new place has; unknown where an earlier controller set it up. */
  let copied: RoutingState | undefined;
  const kind = daemonRouter(vn, router)?.kind;
  const control = movingControl(run, move);
  const events = countEvents(run, router);
  const begin = (name: Parameters<typeof phases.begin>[0]) => {
    if (!isBack) context.signal?.throwIfAborted();
    phases.begin(name);
  };
  const neighbours = neighbourNodes(instance, router);
  const namespaceAt = (node: NodeName) => namespaceOf(moveRouter(instance, router, node), router, agents);

  async function prepare(): Promise<void> {
    begin('set up');
    if (instances.plan(old.record.id).moving === undefined)
      instances.beginMove(old.record.id, router, { node: to, namespace: namespaceAt(to) });
    await refuseCollisions(agents, [to], context.signal);
    noteUnfiltered(context, agents, [to]);
    // An earlier attempt may have left routes there that the router no longer has.
    await applyAll(agents, removePlace(run, instance, router, to));
    await applyAll(agents, setUpNewPlace(run, instance, router, to));
    await applyAll(agents, sendAllTo(run, instance, router, from, to));
    copied = new Map();
    begin('clone');
    await copyRoutes();
    begin('prove');
    await tryPaths(run, move);
    await events.begin();
    await control?.note();
    await copyRoutes();
  }

  /** Makes the new place forward by the routes that the old one has now. */
  async function copyRoutes(): Promise<void> {
    if (kind !== undefined) return copyOfDaemon(kind);
    const live = await readTranslated(agents, vn, instance, fresh, [router]);
    if (!live.has(router)) throw new VnmError('unreachable', `node '${from}' with router '${router}' is unreachable`);
    const there = copied ?? (await readTranslated(agents, vn, fresh, fresh, [router]));
    await applyRoutes(agents, vn, fresh, there, live);
    copied = live;
  }

  /** The same with the routes that a daemon added, where these stay when it ends. */
  async function copyOfDaemon(daemon: DaemonKind): Promise<void> {
    const isCopy = control!.keepsRoutes();
    const live = await readCopied(agents, instance, router, daemon, isCopy);
    const there = copied?.get(router) ?? (await readCopied(agents, fresh, router, daemon, isCopy));
    await applyAll(agents, putCopied(fresh, router, daemon, there, live, agents));
    copied = new Map([[router, live]]);
  }

  async function flip(): Promise<void> {
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
    await control.converge(to);
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
    for (const { neighbour, batches } of sendTo(run, instance, router, to, from)) {
      const startedAt = Date.now();
      await applyAll(agents, batches);
      progress.flips.push({ router, neighbour, startedAt, finishedAt: Date.now() });
    }
  }

  async function confirm(): Promise<void> {
    phases.begin('verify');
    const { excused, failed } = await prove(fresh, true);
    if (failed.length > 0) {
      const pairs = failed.map((pair) => `${pair.from} to ${pair.to}`).join(', ');
      throw new VnmError(
        'failed',
        `after the links of router '${router}' were flipped, no packet arrived from ${pairs}`,
      );
    }
    progress.unproven = reportUnproven(run, `with router '${router}' on node '${to}'`, excused);
    progress.neighbourEvents.push(...(await events.read()));
  }

  /** An end host whose node is unreachable says nothing about the router. */
  async function prove(placed: Instance, locate: boolean): Promise<Proof> {
    try {
      return await proveEndHosts(run, placed, baseline(), { locate });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      context.report({
        kind: 'note',
        text: `whether the end hosts reach each other is not proven: ${messageOf(error)}`,
      });
      return { excused: [], failed: [] };
    }
  }

  const baseline = () => baselineOf(context.store.migrations.find(run.id!)!);

  /** Waits until the router's place on the node receives nothing any more. */
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

  async function retire(): Promise<void> {
    const isBegun = context.store.migrations.find(run.id!)?.state === 'retire';
    if (!isBegun) {
      phases.begin('drain');
      await drain(from);
    }
    phases.begin('retire');
    await leaveOne(to, from);
    const named = [...vn.placements].find(([, placement]) => isSamePlacement(placement, fresh.placement))?.[0] ?? null;
    if (!writeIfPossible(context, () => instances.endMove(old.record.id, router, named))) throw notRecorded();
  }

  /** Leaves the router only on `kept`. */
  async function leaveOne(kept: NodeName, gone: NodeName): Promise<void> {
    const unreachable = [
      ...(await applyWhereReachable(agents, sendAllTo(run, instance, router, kept), agents.givenUp)),
      ...(await applyWhereReachable(agents, removePlace(run, instance, router, gone), agents.givenUp)),
    ];
    reportLeftOver(run, unreachable);
  }

  /** Checks that everything that the way back needs can be reached. */
  async function findNeighbours(): Promise<void> {
    const needed = [...neighbours, from];
    await agents.check(needed);
    await agents.revive(needed).catch((error: unknown) => context.report({ kind: 'note', text: messageOf(error) }));
    const missing = [...new Set(needed)].filter((node) => agents.missing.has(node));
    if (missing.length > 0) throw new VnmError('unreachable', `node '${missing.join("', '")}' cannot be reached`);
  }

  async function sendBack(): Promise<void> {
    phases.begin('roll back');
    // Neighbours do not hear a place that cannot be asked whether it still has a control plane.
    const other = agents.missing.has(to) ? undefined : to;
    const flipBack = () => applyAll(agents, sendAllTo(run, instance, router, from, other));
    if (control === undefined) await flipBack();
    else await sendControlBack(control, flipBack);
    await drain(to);
    const { excused, failed } = await prove(instance, false);
    progress.unproven = reportUnproven(run, `with router '${router}' back on node '${from}'`, [...excused, ...failed]);
  }

  async function sendControlBack(moving: MovingControl, flipBack: () => Promise<unknown>): Promise<void> {
    await moving.move(to, from, async () => {
      await flipBack();
    });
    try {
      await moving.converge(from);
    } catch (error) {
      context.report({ kind: 'note', text: messageOf(error) });
    }
    progress.neighbourEvents.push(...(await events.read()));
  }

  async function remove(): Promise<void> {
    phases.begin('remove the new place');
    await removeTrial(run);
    await agents.revive([...neighbours, to, ...edgeNodes(vn)]);
    await leaveOne(from, to);
    if (instances.plan(old.record.id).moving === undefined) return;
    if (!writeIfPossible(context, () => instances.cancelMove(old.record.id, router))) throw notRecorded();
  }

  return {
    prepare,
    redirect: flip,
    'redirect all': flip,
    confirm,
    retire,
    'find gateways': findNeighbours,
    'send back': sendBack,
    remove,
  };
}
