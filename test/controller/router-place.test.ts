/** A router that moves to another node within its instance, and placements that have no name in the slice file. */
import { describe, expect, test } from 'vitest';
import { statusText } from '../../src/cli/commands/status.ts';
import { placementOf, refuseUnfinished } from '../../src/controller/base/resolve.ts';
import { describeUnfinished, endsOf } from '../../src/controller/base/unfinished.ts';
import type { Layout } from '../../src/controller/batches/batches.ts';
import { desiredBatches } from '../../src/controller/batches/desired.ts';
import { tearDownRouters } from '../../src/controller/batches/routers.ts';
import { nodesOf } from '../../src/controller/nodes/compare.ts';
import { plan } from '../../src/controller/plan.ts';
import { sliceStatus } from '../../src/controller/status.ts';
import { describePlacement } from '../../src/model/slice.ts';
import { type Instance, moveRouter, planInstance, routerNodes } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { adviceFor } from '../../src/service/dead-nodes.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const planned = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const vnPlan = planVn(slice, vn);
const names = {
  address: (node: string) => `address of ${node}`,
  port: () => 20_001,
  tunnelKey: () => '00',
  namespacePrefix: (node: string) => `${node}.`,
  resilient: () => true,
  gates: () => true,
};
const layout: Layout = { ...vnPlan, names, mtu: 1400, urpf: 'feasible' };

/** Everything of a link except the nodes of its ends. */
const identities = ({ slot, block, links }: Instance) => ({
  slot,
  block,
  links: links.map(({ vni, a, b }) =>
    [vni, a, b].map((one) => (typeof one === 'number' ? one : [one.interface, one.address, one.mac])),
  ),
});

describe('a router on another node', () => {
  test.each(['p4', 'p2', 'ga'])('a router moved to node %s keeps its slot, names, addresses, VNIs and MACs', (node) => {
    const moved = moveRouter(planned, 'a', node);
    expect(identities(moved)).toEqual(identities(planned));
    expect([...moved.placement]).toEqual([
      ['a', node],
      ['b', 'p2'],
      ['c', 'p3'],
    ]);
    for (const link of moved.links) {
      for (const { router, node: at } of [link.a, link.b])
        if (router !== undefined) expect(at).toBe(moved.placement.get(router));
      expect(link.tunnel).toBe(link.a.node === link.b.node ? 'local' : 'vxlan');
    }
  });

  test('a router is as before after a move there and back', () => {
    expect(moveRouter(moveRouter(planned, 'a', 'p2'), 'a', 'p1')).toEqual(planned);
  });
});

describe('a router that is moving', () => {
  const moving: Instance = { ...planned, moving: new Map([['a', 'p4']]) };
  const routes = computeRoutes(vn, planned, vnPlan.access);
  const batches = (instance: Instance) =>
    desiredBatches(layout, { instances: [{ instance, routes }], active: instance });

  test('a moving router is on both nodes, with the same links and routes, and everything else is as before', () => {
    const [both, before] = [batches(moving), batches(planned)];
    const second = both.get('p4')!;
    expect([...both.keys()].filter((node) => !before.has(node))).toEqual(['p4']);
    for (const [node, operations] of before) expect(both.get(node)).toEqual(operations);
    const on = (operations: readonly object[], node: string) =>
      JSON.parse(JSON.stringify(operations).replaceAll(`"${node}.`, '"').replaceAll(`address of ${node}`, 'own'));
    const first = before.get('p1')!.filter((operation) => 'namespace' in operation);
    expect(on(second, 'p4')).toEqual(on(first, 'p1'));
    expect(second.length).toBeGreaterThan(5);
  });

  test('a moving router has no link on its new node whose kind the move would change', () => {
    const toNeighbour: Instance = { ...planned, moving: new Map([['a', 'p2']]) };
    const own = batches(toNeighbour)
      .get('p2')!
      .filter((operation) => JSON.stringify(operation).includes('p2.0-a'));
    expect(own.flatMap((operation) => (operation.op === 'tunnel_up' ? [operation.interface] : []))).toEqual(
      planned.links.flatMap(({ a, b }) =>
        [a, b].flatMap((end, index, ends) =>
          end.router === 'a' && ends[1 - index]!.router !== 'b' ? [end.interface] : [],
        ),
      ),
    );
  });

  test('a moving router has no route on its new node over a link that is not there', () => {
    const toNeighbour: Instance = { ...planned, moving: new Map([['a', 'p2']]) };
    const own = batches(toNeighbour)
      .get('p2')!
      .filter((operation) => 'namespace' in operation && operation.namespace === 'p2.0-a');
    const links = own.flatMap((operation) => (operation.op === 'tunnel_up' ? [operation.interface] : []));
    const used = own.flatMap((operation) =>
      operation.op === 'vroute' ? (operation.nexthops ?? []).map((hop) => hop.interface) : [],
    );
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !links.includes(name))).toEqual([]);
  });

  test('a moving router is taken down on both nodes', () => {
    const down = tearDownRouters(layout, moving);
    expect(down.get('p1')).toEqual([{ op: 'netns_down', namespace: 'p1.0-a' }]);
    expect(down.get('p4')).toEqual([{ op: 'netns_down', namespace: 'p4.0-a' }]);
    expect(routerNodes(moving)).toEqual(['p1', 'p2', 'p3', 'p4']);
  });
});

describe('the database', () => {
  const withInstance = (body: (store: ReturnType<typeof openStore>, id: number) => void) => {
    const store = openStore(':memory:');
    store.slices.save(slice);
    const namespaces = () => new Map(vn.routers.map(({ name }) => [name, `pv-${name}`]));
    const { record } = store.instances.add(slice.name, vn.name, 'initial', 4, () => planned, namespaces);
    store.instances.activate(record.id);
    store.instances.setSettings(slice.name, vn.name, { mtu: 1400, urpf: 'feasible' });
    try {
      body(store, record.id);
    } finally {
      store.close();
    }
  };

  test('the database, the status and the comparison have both places of a router while it moves', () => {
    withInstance((store, id) => {
      store.instances.beginMove(id, 'a', { node: 'p4', namespace: 'pv4-a' });
      expect(store.instances.plan(id)).toEqual({ ...planned, moving: new Map([['a', 'p4']]) });
      expect(nodesOf(store, slice, [vn])).toContain('p4');
      const status = sliceStatus(store, slice);
      expect(status.vns[0]!.instances[0]!.routers[0]).toMatchObject({ router: 'a', node: 'p1', movingTo: 'p4' });
      expect(statusText(status)).toContain('p1, moving to p4');
      const begin = (router: string, node: string) => () =>
        store.instances.beginMove(id, router, { node, namespace: 'x' });
      expect(begin('a', 'p5')).toThrow("router 'a' is already moving");
      expect(begin('b', 'p2')).toThrow("router 'b' is already on node 'p2'");
      expect(begin('x', 'p5')).toThrow("there is no router 'x'");
      expect(() => refuseUnfinished(store, slice, vn)).toThrow(
        "VN 'three' of slice 'three': router 'a' is moving to node 'p4'; the move was interrupted",
      );
      expect(adviceFor(store, slice, 'p4')[0]).toContain("it carries router a of VN 'three'");
    });
  });

  test('the database has only the new place of a router once it has moved, and the placement has no name', () => {
    withInstance((store, id) => {
      store.instances.beginMove(id, 'a', { node: 'p2', namespace: 'pv2-a' });
      store.instances.endMove(id, 'a', null);
      const moved = moveRouter(planned, 'a', 'p2');
      expect(store.instances.plan(id)).toEqual(moved);
      expect(store.instances.namespaces(id).get('a')).toBe('pv2-a');
      const [record] = store.instances.list();
      expect(describePlacement(placementOf({ record: record!, instance: moved }))).toBe('(a on p2, b on p2, c on p3)');
      expect(statusText(sliceStatus(store, slice))).toContain('on placement (no name), uRPF feasible');
      expect(() => store.instances.endMove(id, 'a', null)).toThrow("router 'a' is not moving");
    });
  });

  test('a VN that carries no traffic yet counts as not installed', () => {
    withInstance((store, id) => {
      store.instances.setState(id, 'installing');
      expect(statusText(sliceStatus(store, slice))).toContain("VN 'three': not installed (placements: initial, final)");
    });
  });

  test('the database has only the old place of a router when its move was given up', () => {
    withInstance((store, id) => {
      store.instances.beginMove(id, 'a', { node: 'p4', namespace: 'pv4-a' });
      store.instances.cancelMove(id, 'a');
      expect(store.instances.plan(id)).toEqual(planned);
      expect(() => store.instances.cancelMove(id, 'a')).toThrow("router 'a' is not moving");
      expect(store.instances.list()).toMatchObject([{ placementName: 'initial' }]);
    });
  });

  test('the slice keeps the node of a router even if no placement names it', () => {
    withInstance((store, id) => {
      const nodes = new Map([...slice.nodes, ['p9', { name: 'p9' }]]);
      store.slices.save({ ...slice, nodes });
      store.instances.beginMove(id, 'a', { node: 'p9', namespace: 'pv9-a' });
      expect(() => store.slices.save(slice)).toThrow('the substrate nodes changed');
    });
  });

  test('a placement without a name is described by the nodes of its routers', () => {
    withInstance((store, id) => {
      const nodes = Object.fromEntries(planned.placement);
      const start = { slice: 'three', vn: 'three', control: 'gateway', schedule: 'optimal', options: '{}' } as const;
      const migration = store.migrations.start({
        ...start,
        from: null,
        to: 'final',
        fromNodes: nodes,
        urpf: 'strict',
        urpfBefore: 'strict',
        oldInstance: id,
      });
      const record = store.migrations.find(migration)!;
      expect(endsOf(record)).toEqual({ from: '(a on p1, b on p2, c on p3)', to: "'final'" });
      expect(describeUnfinished(record)).toContain("from (a on p1, b on p2, c on p3) to 'final' was interrupted");
    });
  });

  test('plan finds the present placement of a VN, whatever its name', async () => {
    const store = openStore(':memory:');
    store.slices.save(slice);
    const namespaces = () => new Map(vn.routers.map(({ name }) => [name, `pv-${name}`]));
    const { record } = store.instances.add(
      slice.name,
      vn.name,
      null,
      4,
      () => moveRouter(planned, 'a', 'p4'),
      namespaces,
    );
    store.instances.activate(record.id);
    store.instances.setSettings(slice.name, vn.name, { mtu: 1400, urpf: 'feasible' });
    const context = { store, acceptNewHostKeys: false, report: () => {} };
    const options = { to: 'final', granularity: 'gateway', latency: 'declared' } as const;
    expect(await plan(context, slice, vn, options)).toMatchObject({
      from: null,
      to: 'final',
      moves: [
        { router: 'a', from: 'p4', to: 'p4' },
        { router: 'b', from: 'p2', to: 'p5' },
        { router: 'c', from: 'p3', to: 'p6' },
      ],
    });
    store.close();
  });
});
