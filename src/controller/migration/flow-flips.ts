/**
 * How flows come to a switch's new place (method `flow`; the OpenFlow paper's order): first the entries along the new
 * path, from its end to its beginning, each confirmed by a barrier; then, at the first hop that both paths have, one
 * change of its entries. All neighbours of the switch are such hops, each for the flows that it sends to the switch:
 * one that is a switch gets a flow-mod, or an atomic bundle of them; a gateway, or a router that forwards by its
 * kernel, another MAC address for its neighbour. Both places have all entries by then, so the order among them does not
 * matter.
 */

import { messageOf } from '../../model/errors.ts';
import { changedEntries } from '../../model/flow-entry.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { endName, linksOf, type RouterMove } from '../../planning/neighbourhood.ts';
import { isFlowEntry, planSwitch } from '../../planning/switch-entries.ts';
import { mergeBatches } from '../batches/batches.ts';
import { namespaceOf } from '../batches/operations.ts';
import { startSwitch } from '../batches/routers.ts';
import { leadTo, sendInto, switchesBeside } from '../batches/switch-place.ts';
import { applyAll } from '../nodes/agents.ts';
import { measureClocks } from '../nodes/clocks.ts';
import { type ArmedFlip, armFlips, disarmFlips, type FlipTimes } from './arm-flips.ts';
import { type LinkFlips, noteFlip } from './link-flips.ts';
import type { MoveProgress } from './move-progress.ts';
import type { Run } from './types.ts';

type Clocks = Awaited<ReturnType<typeof measureClocks>>;

export function flowFlips(run: Run, { router, from, to }: RouterMove, progress: MoveProgress): LinkFlips {
  const { agents, context, old } = run;
  const before = old.instance;
  const after = moveRouter(before, router, to);
  const admit = async () => {
    await applyAll(agents, leadTo(run, before, router, to));
  };

  /** Times what cannot go wrong: what was not done then, the batch after it does. */
  async function timed(flips: readonly ArmedFlip[], clocks: Promise<Clocks>): Promise<readonly FlipTimes[]> {
    try {
      return await armFlips(run, flips, await clocks);
    } catch (error) {
      context.signal?.throwIfAborted();
      context.report({ kind: 'note', text: `${messageOf(error)}; changing the entries now` });
      return [];
    }
  }

  return {
    admit,
    flip: async () => {
      await admit();
      const [added, changed] = [
        newEntries(run, after, { router, from, to }),
        commonHops(run, { before, after }, router),
      ];
      const clocks = measureClocks(
        agents,
        [...added, ...changed].map(({ node }) => node),
      );
      clocks.catch(() => {});
      const entries = await timed(added, clocks);
      await applyAll(agents, new Map([[to, [startSwitch(run, after, router)]]]));
      const flips = await timed(changed, clocks);
      const startedAt = Date.now();
      await applyAll(agents, sendInto(run, after, router));
      const finishedAt = Date.now();
      const done = new Map(flips.map((flip) => [flip.name, flip]));
      for (const name of new Set(linksOf(before, router).map(({ peer }) => endName(peer)))) {
        const { name: _, ...times } = done.get(name) ?? { name, startedAt, finishedAt };
        noteFlip(run, progress, { router, neighbour: name, to, ...times });
      }
      const [first, all] = [entries[0], flips];
      if (all.length === 0) return;
      const entriesMs = first === undefined ? 0 : first.finishedAt - first.startedAt;
      const flipMs = Math.max(...all.map((one) => one.finishedAt)) - Math.min(...all.map((one) => one.startedAt));
      progress.flowChanges.push({ router, entriesMs, flipMs, totalMs: entriesMs + flipMs });
    },
    back: async (other) => {
      await disarmFlips(run);
      await applyAll(agents, mergeBatches(sendInto(run, before, router), leadTo(run, before, router, other)));
    },
    settle: (kept) => {
      const place = kept === to ? after : before;
      return mergeBatches(sendInto(run, place, router), leadTo(run, place, router));
    },
  };
}

/** The entries of the flows at the new place. */
function newEntries(run: Run, after: Instance, { router, to }: RouterMove): ArmedFlip[] {
  const entries = planSwitch(run, after, router).entries.filter(isFlowEntry);
  const namespace = namespaceOf(after, router, run.names);
  return entries.length === 0 ? [] : [{ name: router, node: to, action: { kind: 'flow', namespace, entries } }];
}

/** What each neighbour changes; nothing for one that can be changed by a batch only. */
function commonHops(
  run: Run,
  { before, after }: { readonly before: Instance; readonly after: Instance },
  router: string,
): ArmedFlip[] {
  const gateways = linksOf(after, router).flatMap(({ own, peer }): ArmedFlip[] => {
    if (peer.gateway === undefined || own.mac === undefined) return [];
    const { interface: name } = peer;
    return [
      {
        name: peer.gateway,
        node: peer.node,
        action: { kind: 'neighbour', interface: name, address: own.address, mac: own.mac },
      },
    ];
  });
  const switches = switchesBeside(run, after, router).flatMap(({ name, node }): ArmedFlip[] => {
    const entries = changedEntries(planSwitch(run, before, name).entries, planSwitch(run, after, name).entries);
    const namespace = namespaceOf(after, name, run.names);
    return entries.length === 0 ? [] : [{ name, node, action: { kind: 'flow', namespace, entries } }];
  });
  return [...gateways, ...switches];
}
