import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { edgeNodes } from '../../src/controller/base/resolve.ts';
import { isMissing, refuseDamage, reportDamage } from '../../src/controller/migration/damage.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { slotCount } from '../../src/model/room.ts';
import { type Instance, planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { Difference } from '../../src/vsys/difference.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const difference = { node: 'n1', additional: false, name: 'x', wanted: 'something', found: null } as const;

it.each(['namespace', 'interface', 'route', 'rule'] as const)('a missing %s is damage', (kind) => {
  expect(isMissing({ ...difference, kind })).toBe(true);
  expect(isMissing({ ...difference, kind, found: 'something else' })).toBe(false);
  expect(isMissing({ ...difference, kind, wanted: null, found: 'something more' })).toBe(false);
});

it('settings and nexthops of an earlier version are not damage, but missing groups are', () => {
  expect(isMissing({ ...difference, kind: 'setting' })).toBe(false);
  expect(isMissing({ ...difference, kind: 'nexthop', wanted: "via 10.64.0.1 over 'pv000-0l0a'" })).toBe(false);
  expect(isMissing({ ...difference, kind: 'nexthop', wanted: 'plain group, leads to 65537' })).toBe(true);
});

describe('the old side of a VN next to another in its slice', () => {
  const slice = readSlice(gallery('shared-nodes'));
  const [red] = slice.vns;
  const vn = red!;
  const { store, remove } = temporaryStore();
  const notes: string[] = [];
  const context: Context = {
    store,
    acceptNewHostKeys: false,
    report: ({ kind, text }) => void (kind === 'note' && notes.push(text)),
  };
  const installed = new Map<string, Instance>();
  beforeAll(() => {
    store.slices.save(slice);
    for (const one of slice.vns) {
      const placement = one.placements.get('initial')!;
      const plan = (slot: number) => planInstance(slice, one, placement, slot);
      const names = () => new Map(one.routers.map(({ name }) => [name, `pv-shared_0-${name}`]));
      const { record, instance } = store.instances.add(slice.name, one.name, 'initial', slotCount(slice), plan, names);
      store.instances.activate(record.id);
      store.instances.saveRoutes(record.id, computeRoutes(one, instance, planVn(slice, one).access));
      store.instances.setSettings(slice.name, one.name, { mtu: 1450, urpf: 'feasible' });
      installed.set(one.name, instance);
    }
  });
  beforeEach(() => notes.splice(0));
  afterAll(remove);

  /**
   * Only the nodes of this VN are connected; each answers a dry run with these differences, and is complete afterwards.
   */
  function play(differences: Readonly<Record<string, readonly Difference[] | Error>>, dead?: string) {
    const repaired: string[] = [];
    const nodes = [...edgeNodes(vn), ...installed.get(vn.name)!.placement.values()];
    const inventory = { namespaces: [], interfaces: [], nexthops: [], routes: [], rules: false };
    const call = async (node: string, method: string, { dryRun }: { dryRun?: boolean }) => {
      if (method !== 'apply') return method === 'inventory' ? inventory : { routes: [] };
      const answer = differences[node] ?? [];
      if (answer instanceof Error) throw answer;
      if (dryRun !== true && answer.length > 0) repaired.push(node);
      return { results: [], differences: answer };
    };
    const agents = {
      slice,
      missing: new Map(dead === undefined ? [] : [[dead, new VnmError('unreachable', `node '${dead}' is dead`)]]),
      nodes: () => nodes.filter((node) => node !== dead),
      get: (node: string) => ({ call: (method: string, params: object) => call(node, method, params) }),
      claim: () => {},
      namespacePrefix: () => 'pv-shared_',
      resilient: () => true,
      gates: () => true,
      address: (node: string) => {
        if (!nodes.includes(node) || node === dead) throw new Error(`node '${node}' has no address`);
        return '192.0.2.1';
      },
    } as unknown as Agents;
    return { side: { context, agents, slice, vn, old: { instance: installed.get(vn.name)! } }, repaired };
  }
  const lost = (name: string, namespace?: string): Difference => ({
    kind: 'route',
    ...(namespace === undefined ? {} : { namespace }),
    name,
    wanted: 'via 10.67.0.0',
    found: null,
  });

  it('a damaged old side is refused, and repaired without the nodes that only another VN needs', async () => {
    const { side, repaired } = play({ p1: [lost('10.67.0.2/31', 'pv-shared_0-red-a')] });
    await expect(refuseDamage(side, 'migrate shared --to final', false)).rejects.toThrow(
      "the old side is incomplete: router red-a on node 'p1' has no route to 10.67.0.2/31",
    );
    expect(repaired).toEqual([]);
    await refuseDamage(side, 'migrate shared --to final', true);
    expect(repaired).toEqual(['p1']);
  });

  it('a missing route of an end host to the rest of the subnet, which earlier versions did not add, is not damage', async () => {
    const { side, repaired } = play({ h1: [lost('10.67.0.0/16 metric 70000')] });
    await refuseDamage(side, 'migrate shared --to final', false);
    await refuseDamage(side, 'migrate shared --to final', true);
    expect(repaired).toEqual([]);
    const { side: more } = play({ h1: [lost('10.67.0.0/16 metric 70000'), lost('10.67.0.2/31')] });
    await expect(refuseDamage(more, 'migrate shared --to final', false)).rejects.toThrow(
      /^the old side is incomplete: node 'h1' has no route to 10\.67\.0\.2\/31$/,
    );
  });

  it('the old side is compared even if one of its nodes is dead and its host name does not resolve', async () => {
    const { side } = play({ h1: [lost('10.67.0.2/31')] }, 'p1');
    expect(await reportDamage(side)).toBe(true);
    const why = "the other end of a tunnel, node 'p1', has no known address: node 'p1' has no address";
    expect(notes).toEqual([
      ...['g1', 'p2'].map(
        (node) => `node '${node}' could not be compared with the database, so what is missing there is unknown: ${why}`,
      ),
      "the old side is incomplete: node 'h1' has no route to 10.67.0.2/31",
    ]);
  });

  it('repairing the old side reports what was missing', async () => {
    const { side } = play({ h1: [lost('10.67.0.2/31')] });
    await refuseDamage(side, 'migrate shared --to final', true);
    expect(notes).toEqual(["the old side is incomplete: node 'h1' has no route to 10.67.0.2/31"]);
  });

  it('a node that could not compare is reported, and not taken as repaired', async () => {
    const { side } = play({ p1: new VnmError('failed', 'no memory'), h1: [lost('10.67.0.2/31')] });
    const unknown = "node 'p1' could not be compared with the database, so what is missing there is unknown: no memory";
    expect(await reportDamage(side)).toBe(true);
    expect(notes).toEqual([unknown, "the old side is incomplete: node 'h1' has no route to 10.67.0.2/31"]);
    const { side: onlyFailed } = play({ p1: new VnmError('failed', 'no memory') });
    await refuseDamage(onlyFailed, 'migrate shared --to final', false);
    expect(notes.slice(2)).toEqual([unknown]);
    await expect(refuseDamage(side, 'migrate shared --to final', true)).rejects.toThrow("node 'p1': no memory");
  });
});
