/**
 * A checkpoint (VROOM, section 3.2): the daemon is stopped, goes to the new node with its memory and its sockets, and
 * continues there. Its neighbours see nothing of it. The order of the requests is in docs/vsys.md.
 *
 * The original stays stopped until it is known that the copy runs, or that there is none. Whoever continues an
 * interrupted move finds that out from both nodes, after a claim: then no request of an earlier command begins any
 * more, and `inventory` waits for those that were begun.
 */
import { VnmError } from '../../../model/errors.ts';
import { daemonRouter } from '../../../model/router.ts';
import type { DaemonReport } from '../../../vsys/daemon.ts';
import type { Params, Results } from '../../../vsys/messages.ts';
import { type Agents, applyAll, hasFeature, isUnreachable } from '../../nodes/agents.ts';
import { type Carried, type CarryingWay, type ControlPlace, notPossible, speaksBgp, versionOn } from './way.ts';

export const checkpoint: CarryingWay = {
  name: 'checkpoint',
  keepsRoutes: false,
  lacks: (facts, kind) => {
    if (kind !== 'bird') return `CRIU cannot restore ${kind.toUpperCase()}`;
    if (versionOn(facts, kind) === undefined) return "there is no 'bird'";
    if (hasFeature(facts, 'criu')) return undefined;
    return facts.features.find(({ name }) => name === 'criu')?.detail ?? 'there is no CRIU';
  },
  refuse: (vn, agents, router, { to, of }) => {
    const moving = daemonRouter(vn, router)!;
    if (moving.kind !== 'bird') {
      const why = `router '${router}' runs FRR, whose netlink groups CRIU does not restore`;
      throw notPossible('checkpoint', why, 'use --control-plane graceful, or a router of kind bird');
    }
    if (speaksBgp(moving)) {
      const why = `router '${router}' also speaks BGP, and a checkpoint does not take TCP connections along`;
      throw notPossible(
        'checkpoint',
        why,
        'remove its BGP sessions, or use --control-plane restart or --method instance',
      );
    }
    const nodes = [of(router), to];
    for (const node of nodes) {
      const lack = checkpoint.lacks(agents.get(node).facts, moving.kind);
      if (lack === undefined) continue;
      const hint = 'install CRIU 4.2 or newer there, or use --control-plane graceful';
      throw notPossible('checkpoint', `node '${node}': ${lack}`, hint);
    }
    const [here, there] = nodes.map((node) => versionOn(agents.get(node).facts, moving.kind));
    if (here === there) return;
    const why = `node '${nodes[0]}' has BIRD ${here}, and node '${nodes[1]}' has ${there}`;
    throw notPossible('checkpoint', why, 'install the same package on both, or use --control-plane graceful');
  },

  carry: async (agents, left, kept) => {
    if ((await whereabouts(agents, left, kept)) !== left) return undefined;
    let carried: Carried | undefined;
    try {
      carried = await moveImage(agents, left, kept);
    } catch (error) {
      // Its answer may have been lost.
      if ((await whereabouts(agents, left, kept)) === left) throw error;
      return undefined;
    }
    // The copy runs. An original that could not be told stays stopped, and goes with its place.
    await settle(agents, left, 'moved').catch(() => {});
    return carried;
  },

  confirm: async (agents, kept) => {
    await settle(agents, kept, 'stayed');
    await applyAll(agents, new Map([[kept.node, [kept.start]]]));
  },
};

/** Stops the daemon at `left` and lets its copy run at `kept`. */
async function moveImage(agents: Agents, left: ControlPlace, kept: ControlPlace): Promise<Carried> {
  const times = [performance.now()];
  const image = await on(left, async () => agents.get(left.node).call('daemon_dump', { namespace: left.namespace }));
  times.push(performance.now());
  await relay(agents, left, kept, image);
  times.push(performance.now());
  await on(kept, () => agents.get(kept.node).call('daemon_restore', { namespace: kept.namespace, ...image }));
  times.push(performance.now());
  const [dumpMs, transferMs, restoreMs] = times.slice(1).map((at, index) => at - times[index]!) as [
    number,
    number,
    number,
  ];
  return { bytes: image.bytes, dumpMs, transferMs, restoreMs };
}

/** In parts as large as one message may have. */
async function relay(
  agents: Agents,
  left: ControlPlace,
  kept: ControlPlace,
  { bytes }: Results['daemon_dump'],
): Promise<void> {
  for (let offset = 0; offset < bytes; ) {
    const at = { offset };
    const { data } = await on(left, () =>
      agents.get(left.node).call('daemon_image_read', { namespace: left.namespace, ...at }),
    );
    await on(kept, () => agents.get(kept.node).call('daemon_image_write', { namespace: kept.namespace, ...at, data }));
    const size = Buffer.byteLength(data, 'base64');
    if (size === 0) throw new VnmError('failed', `node '${left.node}': the checkpoint ends after ${offset} bytes`);
    offset += size;
  }
}

/**
 * Says at which of the places the daemon is, if at any, after it has ended what an interrupted move left half done: an
 * original that is stopped continues if it has no copy, and has moved if it has one. Then it is alive at one place at
 * most.
 */
async function whereabouts(agents: Agents, left: ControlPlace, kept: ControlPlace): Promise<ControlPlace | undefined> {
  await agents.revive([left.node, kept.node]);
  const [atLeft, atKept] = [await stateAt(agents, left), await stateAt(agents, kept)];
  // Stopped at `kept`, it is an original that moved to `left` before, and could not be told: what it knows is old.
  const isOld = atKept === 'moving' && atLeft !== undefined;
  if (isOld) await settle(agents, kept, 'moved');
  if (atKept === undefined || isOld) {
    if (atLeft === 'moving') await stay(agents, left, kept);
    return atLeft === undefined ? undefined : left;
  }
  if (atLeft === 'moving') await settle(agents, left, 'moved');
  else if (atLeft !== undefined) await applyAll(agents, new Map([[left.node, [downAt(left)]]]));
  if (atKept === 'moving') await stay(agents, kept, left);
  return kept;
}

/** The original continues. What has arrived of its checkpoint at the other place is of no use any more. */
async function stay(agents: Agents, place: ControlPlace, other: ControlPlace): Promise<void> {
  await settle(agents, place, 'stayed');
  await settle(agents, other, 'stayed');
}

const downAt = ({ namespace }: ControlPlace) => ({ op: 'daemon_down' as const, namespace });

/** `moving`: it is stopped, and its checkpoint is complete. Undefined if the node has none. */
async function stateAt(agents: Agents, place: ControlPlace): Promise<DaemonReport['state'] | undefined> {
  const { daemons = [] } = await on(place, () => agents.get(place.node).call('inventory', {}));
  return daemons.find(({ namespace }) => namespace === place.namespace)?.state;
}

async function settle(agents: Agents, place: ControlPlace, outcome: Params<'daemon_settle'>['outcome']): Promise<void> {
  const { node, namespace } = place;
  await on(place, () => agents.get(node).call('daemon_settle', { namespace, outcome }));
}

/** Names the node in errors. */
async function on<T>({ node }: ControlPlace, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isUnreachable(error) || !(error instanceof VnmError)) throw error;
    throw new VnmError(error.code, `node '${node}': ${error.message}`, { hint: error.hint, cause: error });
  }
}
