/** A rollback to an old instance that carries less than the new one; nodes are simulated. */
import { expect, it } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { reportIncompleteRollback, sendBack } from '../../src/controller/migration/finish.ts';
import { startPhases } from '../../src/controller/migration/phases.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import { slotCount } from '../../src/model/room.ts';
import { routerNames } from '../../src/model/router.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { nexthopInto, planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { playedAgents } from '../support/played-agents.ts';
import { inPlayedTime } from '../support/played-time.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;

/** The parameters of all requests that matter here. */
interface Asked {
  readonly stream: string;
  readonly to: string | string[];
  readonly operations?: readonly OperationInput[];
}

it('a rollback leaves the gateways on the new instance if that is better, and names the command to continue', () =>
  inPlayedTime(async () => {
    const { store, remove } = temporaryStore();
    const notes: string[] = [];
    const context: Context = { store, acceptNewHostKeys: false, report: ({ text }) => void notes.push(text) };
    store.slices.save(slice);
    const [old, fresh] = ['initial', 'final'].map((name) => {
      const plan = (slot: number) => planInstance(slice, vn, vn.placements.get(name)!, slot);
      const names = ({ slot }: { slot: number }) =>
        new Map(routerNames(vn).map((router) => [router, `pv-two_${slot}-${router}`]));
      const added = store.instances.add(slice.name, vn.name, name, slotCount(slice), plan, names);
      store.instances.saveRoutes(added.record.id, computeRoutes(vn, added.instance, planVn(slice, vn).access));
      return added;
    });
    store.instances.activate(old!.record.id);

    /** By node: the nexthop that its groups use. The old instance carries nothing. */
    const active = new Map<string, number>();
    const received = new Map<string, number>();
    const isOfNew = (address: string) =>
      fresh!.instance.links.some(({ a, b }) => [a.address, b.address].includes(address));
    const plan = planVn(slice, vn);
    const leadsToNew = () =>
      plan.gateways.every((gateway) => active.get(gateway.node) === nexthopInto(plan, gateway, fresh!.instance.slot));
    const arrives = (to: string) =>
      isOfNew(to) || (leadsToNew() && plan.access.some(({ hostEnd }) => hostEnd.address === to));
    const answer = (node: string, method: string, params: Asked): unknown => {
      if (method === 'stream_open') return { port: 1 };
      if (method === 'stream_send') return void received.set(params.stream, arrives(params.to as string) ? 3 : 0);
      if (method === 'stream_report') return { sent: 3, received: received.get(params.stream) ?? 0, dropped: 0 };
      if (method === 'reach') return { answered: (params.to as string[]).map(arrives) };
      for (const operation of params.operations ?? [])
        if (operation.op === 'group_up') active.set(node, operation.active);
      return { results: [] };
    };
    const agents = playedAgents(slice, answer);
    const to = { name: 'final', placement: fresh!.instance.placement };
    const phases = startPhases(context);
    const run: Run = {
      ...plan,
      names: agents,
      context,
      agents,
      old: old!,
      to,
      urpf: 'feasible',
      gated: false,
      mtu: 1500,
      phases,
    };

    await sendBack(run, fresh!, 0).catch((error: unknown) => reportIncompleteRollback(run, error));
    expect(leadsToNew()).toBe(true);
    expect(notes.at(-1)).toBe(
      'the rollback is incomplete: back on the old instance, no packet arrived from e1 to e2, e2 to e1, unlike on the new one, so the gateways send into the new one again; run pl-vnm resume two to finish the migration',
    );
    expect(store.instances.list().map(({ state }) => state)).toEqual(['active', 'installing']);
    remove();
  }));
