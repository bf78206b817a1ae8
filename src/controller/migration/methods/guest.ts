/**
 * VN Clone (section III), and its baseline: moves one router that is a virtual machine, with its memory. The router
 * gets a second place on the new node, whose ports are closed. The guest is copied while it runs (`clone`), while it
 * stands still (`clone --suspend`), or by QEMU's own migration (`live`), and restored there. Then the old guest's own
 * packets get no further, the new one goes on with open ports, and the neighbours flip their links: the old guest still
 * forwards what is in flight, and is ended when nothing arrives there any more. Only one of the two ever sends packets
 * of its own. Undone by closing the new one's ports and flipping the links back.
 *
 * Up to `flip` the old guest is the router, and a copy counts for nothing. From then on it is the new one, if it is
 * complete; otherwise the move goes back.
 */
import { VnmError } from '../../../model/errors.ts';
import type { NodeName } from '../../../model/names.ts';
import { imageRouter } from '../../../model/router.ts';
import { moveRouter } from '../../../planning/instance.ts';
import type { RouterMove } from '../../../planning/neighbourhood.ts';
import type { MachineCopy, MachineReport, PortState } from '../../../vsys/machine.ts';
import type { RouterMethod } from '../../base/phase.ts';
import { methodOf } from '../../base/phase.ts';
import { startMachine } from '../../batches/routers.ts';
import { applyAll, applyWhereReachable, isUnreachable } from '../../nodes/agents.ts';
import { provideImages } from '../../nodes/images.ts';
import { endGuestCopy, type GuestPlace, goOn, relayGuest } from '../guest-copy.ts';
import { optionsOf } from '../journal.ts';
import type { Method } from '../method.ts';
import { movingPlace } from '../moving-place.ts';
import { countEvents } from '../neighbour-events.ts';
import type { MigrationOptions } from '../options.ts';
import type { GuestMove, Run } from '../types.ts';
import { type MovingParts, type MovingRouter, refuseRedirections } from './vroom.ts';

export const cloneMethod: Method = { refuse: (options) => refuseOthers('clone', options), refuseOn: () => {} };

export const liveMethod: Method = {
  refuse: (options) => {
    refuseOthers('live', options);
    if (options.suspend !== true) return;
    throw new VnmError('usage', 'method live copies a guest that runs, so it has no --suspend', {
      hint: 'leave that out, or use --method clone',
    });
  },
  refuseOn: () => {},
};

function refuseOthers(method: RouterMethod, options: MigrationOptions): void {
  refuseRedirections(method, options);
  const { controlPlane, holdControl, parallel } = options;
  const needless = [
    ...(controlPlane === undefined ? [] : ['--control-plane']),
    ...(holdControl === true ? ['--hold-control'] : []),
    ...(parallel === undefined ? [] : ['--parallel']),
  ];
  if (needless.length === 0) return;
  throw new VnmError('usage', `method ${method} moves guests one after the other, so it has no ${needless[0]}`, {
    hint: 'leave that out, or use --method vroom',
  });
}

/** What is known of a guest that was copied by this controller. */
interface CopiedGuest {
  readonly way: GuestMove['way'];
  readonly copy: MachineCopy;
  readonly sentBytes: number;
  readonly moveMs: number;
  readonly restoreMs: number;
  readonly writeBytesPerS: number | undefined;
  /** When the copy was complete on the old node, and the guest on the new one; by `performance.now`. */
  readonly copiedAtMs: number;
  readonly restoredAtMs: number;
}

export function movingGuest(run: Run, move: RouterMove, { begin, progress }: MovingParts): MovingRouter {
  const { context, agents, vn, old } = run;
  const { router, from, to } = move;
  const image = imageRouter(vn, router)!;
  const place = movingPlace(run, move, { begin, progress });
  const events = countEvents(run, router);
  const record = context.store.migrations.find(run.id!)!;
  const isLive = methodOf(record) === 'live';
  const isSuspended = optionsOf(record).suspend === true;
  const at = (node: NodeName): GuestPlace => ({ node, namespace: place.namespaceAt(node) });
  let copied: CopiedGuest | undefined;

  /** The machine's operation on a node, with its ports in a state. */
  function machineAt(node: NodeName, state: PortState) {
    return { ...startMachine(run, moveRouter(old.instance, router, node), image), state };
  }

  function put(node: NodeName, state: PortState) {
    return applyAll(agents, new Map([[node, [machineAt(node, state)]]]));
  }

  async function setUp(): Promise<void> {
    // An earlier attempt may have left it standing still.
    if (!(await goOn(agents, at(from)))) throw missing(from);
    await place.setUp();
    const waiting = new Map([[to, [{ ...machineAt(to, 'closed'), incoming: true as const }]]]);
    await provideImages(context, agents, waiting);
    await applyAll(agents, waiting, context.signal);
  }

  function missing(node: NodeName): VnmError {
    return new VnmError('failed', `node '${node}' has no virtual machine of router '${router}'`, {
      hint: `run pl-vnm reconcile ${run.slice.name}`,
    });
  }

  async function copyGuest(): Promise<void> {
    begin('copy guest');
    const how = isLive ? 'live' : isSuspended ? 'suspend' : 'running';
    const made = await agents.get(from).call('machine_copy', { namespace: at(from).namespace, how });
    const madeAtMs = performance.now();
    const relayed = await relayGuest(agents, at(from), at(to), context.signal);
    const movedAtMs = performance.now();
    begin('restore guest');
    await endGuestCopy(agents, at(to), relayed.bytes);
    const restoredAtMs = performance.now();
    copied = {
      way: isLive ? 'live' : isSuspended ? 'suspend' : 'clone',
      copy: relayed.copy ?? { bytes: relayed.bytes, totalMs: 0, frozenMs: 0, rounds: 0, ...withoutRate(made) },
      sentBytes: relayed.sentBytes,
      moveMs: movedAtMs - madeAtMs,
      restoreMs: restoredAtMs - movedAtMs,
      writeBytesPerS: made.writeBytesPerS,
      copiedAtMs: isLive ? movedAtMs : madeAtMs,
      restoredAtMs,
    };
  }

  async function flip(): Promise<void> {
    begin('flip');
    // Its answer may have been lost to an earlier controller.
    const there = await stateAt(to);
    if (there === undefined) throw missing(to);
    await Promise.all([there === 'moving' ? goOn(agents, at(to)) : undefined, silence()]);
    await put(to, 'open');
    await place.flipLinks();
    if (copied !== undefined) progress.guests.push(measured(copied, performance.now()));
  }

  /** Lets nothing of its own out of the old guest; what it forwards goes on. */
  async function silence(): Promise<void> {
    if (agents.missing.has(from)) return;
    try {
      if ((await stateAt(from)) !== undefined) await put(from, 'leaving');
    } catch (error) {
      noteUnreachable(error);
    }
  }

  function noteUnreachable(error: unknown): void {
    if (!isUnreachable(error)) throw error;
  }

  async function stateAt(node: NodeName): Promise<MachineReport['state'] | undefined> {
    const { machines = [] } = await agents.get(node).call('inventory', {});
    return machines.find(({ namespace }) => namespace === at(node).namespace)?.state;
  }

  function measured(guest: CopiedGuest, flippedAtMs: number): GuestMove {
    const { way, copy, sentBytes, moveMs, restoreMs, writeBytesPerS, copiedAtMs, restoredAtMs } = guest;
    const { memoryMib } = image.config;
    const memoryBytes = memoryMib * 1024 * 1024;
    return {
      router,
      from,
      to,
      way,
      memoryMib,
      bytes: copy.bytes,
      sentBytes,
      cloneMs: way === 'live' ? 0 : copy.totalMs,
      moveMs,
      restoreMs,
      switchMs: flippedAtMs - restoredAtMs,
      freezeMs: way === 'clone' ? copy.frozenMs : copy.frozenMs + flippedAtMs - copiedAtMs,
      formula: {
        ...(writeBytesPerS === undefined ? {} : { cloneMs: (memoryBytes / writeBytesPerS) * 1000 }),
        moveMs: (memoryBytes / sentBytes) * moveMs,
      },
    };
  }

  async function sendBack(): Promise<void> {
    if (!agents.missing.has(to) && (await stateAt(to)) !== undefined) await put(to, 'closed').catch(noteUnreachable);
    await keepOldGuest();
    await place.flipBack();
  }

  /** The guest at the old place runs with open ports; one that is no more starts cold. */
  async function keepOldGuest(): Promise<void> {
    if (!(await goOn(agents, at(from)))) {
      const text = `the virtual machine of router '${router}' is no more on node '${from}': started cold`;
      context.report({ kind: 'note', text });
    }
    await put(from, 'open');
  }

  async function leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]> {
    if (kept === from && !agents.missing.has(from)) await keepOldGuest();
    const open = new Map([[kept, [machineAt(kept, 'open')]]]);
    return [...(await place.leaveOne(kept, gone)), ...(await applyWhereReachable(agents, open, agents.givenUp))];
  }

  return {
    move,
    neighbours: place.neighbours,
    isLiving: false,
    setUp,
    copyGuest,
    note: events.begin,
    flip,
    readEvents: events.read,
    drain: place.drain,
    leaveOne,
    keepDaemon: async () => {},
    sendBack,
  };
}

function withoutRate({ writeBytesPerS: _, ...copy }: Partial<MachineCopy> & { writeBytesPerS?: number }) {
  return copy;
}
