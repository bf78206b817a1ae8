import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sliceStatus } from '../../src/controller/status.ts';
import type { DaemonConfig, Routing } from '../../src/model/daemon.ts';
import type { Route } from '../../src/model/route.ts';
import type { Forward, Slice } from '../../src/model/slice.ts';
import type { SshWay } from '../../src/model/ssh-way.ts';
import { type Instance, type LinkEnd, planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { migrationStart } from '../support/migrations.ts';
import { arbitrarySlice, gallery, sharedNode } from '../support/slices.ts';

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-store-'));
  store = openStore(join(directory, 'test.db'));
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

const namespaces = (slice: Slice) => () => new Map(slice.vns[0]!.routers.map(({ name }) => [name, `ns-${name}`]));

function addInstance(slice: Slice, placementName: string, slots = 4) {
  const vn = slice.vns[0]!;
  const plan = (slot: number) => planInstance(slice, vn, vn.placements.get(placementName)!, slot);
  return store.instances.add(slice.name, vn.name, placementName, slots, plan, namespaces(slice));
}

describe('slices', () => {
  test.each(['two-node', 'three-node', 'abilene', 'overlap', 'shared-nodes', 'unequal'])(
    '%s is stored and loaded unchanged',
    (name) => {
      const slice = readSlice(gallery(name));
      store.slices.save(slice);
      expect(store.slices.find(slice.name)).toEqual(slice);
      expect(store.slices.names()).toEqual([slice.name]);
    },
  );

  test('time servers keep their order, and can change while a VN is installed', () => {
    const slice = { ...readSlice(gallery('three-node')), ntp: ['b.example.org', 'a.example.org:1123', '192.0.2.7'] };
    store.slices.save(slice);
    expect(store.slices.find('three')).toEqual(slice);
    addInstance(slice, 'initial');
    store.slices.save({ ...slice, ntp: ['192.0.2.7'] });
    expect(store.slices.find('three')?.ntp).toEqual(['192.0.2.7']);
  });

  test('an MTU is stored, and can change while a VN is installed', () => {
    const slice = readSlice(gallery('three-node'));
    const wanted = (mtu?: number) => ({
      ...slice,
      vns: slice.vns.map((vn) => ({ ...vn, ...(mtu === undefined ? {} : { mtu }) })),
    });
    store.slices.save(wanted(1350));
    expect(store.slices.find('three')?.vns[0]).toMatchObject({ mtu: 1350 });
    addInstance(slice, 'initial');
    store.slices.save(wanted(1300));
    expect(store.slices.find('three')?.vns[0]).toMatchObject({ mtu: 1300 });
    store.slices.save(wanted());
    expect(store.slices.find('three')).toEqual(slice);
  });

  test('repair is stored, and can change while a VN is installed', () => {
    const slice = { ...readSlice(gallery('three-node')), repair: false };
    store.slices.save(slice);
    expect(store.slices.find('three')).toEqual(slice);
    addInstance(slice, 'initial');
    store.slices.save({ ...slice, repair: true });
    expect(store.slices.find('three')?.repair).toBe(true);
  });

  test('patience is stored, and can change while a VN is installed', () => {
    const read = readSlice(gallery('three-node'));
    const withPatience = (patience: number) => ({
      ...read,
      nodes: new Map([...read.nodes].map(([name, node]) => [name, { ...node, patience }])),
    });
    store.slices.save(withPatience(60));
    expect(store.slices.find('three')).toEqual(withPatience(60));
    addInstance(withPatience(60), 'initial');
    store.slices.save(withPatience(2.5));
    expect(store.slices.find('three')).toEqual(withPatience(2.5));
  });

  test('how SSH reaches nodes is stored, and can change while a VN is installed', () => {
    const read = readSlice(gallery('three-node'));
    const through = (ssh: SshWay) => ({
      ...read,
      nodes: new Map([...read.nodes].map(([name, node]) => [name, { ...node, host: `${name}.example.org`, ssh }])),
    });
    const jump = [
      { host: 'bastion', user: 'me' },
      { host: '2001:db8::1', port: 2222, key: '~/b' },
    ];
    const slice = through({ config: '~/lab/config', transport: 'openssh', jump });
    store.slices.save(slice);
    expect(store.slices.find('three')).toEqual(slice);
    addInstance(slice, 'initial');
    store.slices.save(through({ jump: [] }));
    expect(store.slices.find('three')).toEqual(through({ jump: [] }));
  });

  test('a data plane is stored; a node without a host has that of its testbed', () => {
    const read = readSlice(gallery('three-node'));
    const onUserspace = { dataplane: 'userspace' as const };
    const own = new Map(
      [...read.nodes].map(([name, node]) => [name, name === 'p1' ? { ...node, ...onUserspace } : node]),
    );
    store.slices.save({ ...read, nodes: own });
    expect(store.slices.find('three')!.nodes).toEqual(own);
    store.slices.save(read);
    store.testbeds.add('tb1', '/tb1');
    store.testbeds.saveRecord('tb1', { dataplane: 'userspace', nodes: [] }, ['three']);
    expect([...store.slices.find('three')!.nodes.values()].every(({ dataplane }) => dataplane === 'userspace')).toBe(
      true,
    );
    // The slice file does not name the data plane, so that reading it again changes nothing.
    addInstance(store.slices.find('three')!, 'initial');
    store.slices.save(read);
    expect(store.instances.plan(store.instances.active('three', 'vn')?.id ?? 1).nodeTunnel).toBe('udp');
  });

  test('forwards are stored, and cannot change while a VN is installed', () => {
    const read = readSlice(gallery('three-node'));
    const vn = read.vns[0]!;
    const [first, second] = vn.endHosts;
    const withForwards = (...forwards: Forward[]) => ({
      ...read,
      vns: [{ ...vn, endHosts: vn.endHosts.map((one) => (one === first ? { ...one, forwards } : one)) }],
    });
    const dns = { port: 5353, to: second!.name, toPort: 53 };
    const slice = withForwards(dns, { port: 6000, to: second!.name, toPort: 6001 });
    store.slices.save(slice);
    expect(store.slices.find('three')).toEqual(slice);
    addInstance(slice, 'initial');
    expect(() => store.slices.save(withForwards(dns))).toThrow(
      "slice 'three': the VNs changed while VN 'three' is installed",
    );
    expect(store.slices.find('three')).toEqual(slice);
  });

  test('a slice keeps its key for tunnels', () => {
    const read = readSlice(gallery('three-node'));
    expect(() => store.slices.tunnelKey('three')).toThrow(
      expect.objectContaining({ code: 'not-found', message: "there is no slice 'three' in the database" }),
    );
    store.slices.save(read);
    const key = store.slices.tunnelKey('three');
    expect(key).toMatch(/^[0-9a-f]{32}$/);
    store.slices.save({ ...read, repair: false });
    expect(store.slices.tunnelKey('three')).toBe(key);
  });

  test('routers are stored with kind and configuration, which cannot change while a VN is installed', () => {
    const read = readSlice(gallery('three-node'));
    const withDaemons = (config: DaemonConfig, routing?: Routing): Slice => {
      const [vn] = read.vns;
      const routers = vn!.routers.map(({ name }) => ({ name, kind: 'bird', config }) as const);
      return { ...read, vns: [{ ...vn!, routers, ...(routing === undefined ? {} : { routing }) }] };
    };
    const bgp = { as: 65_001, neighbours: [{ router: 'b' }, { address: '10.65.0.1', as: 65_002 }] };
    const routing = { protocol: 'ospf', helloS: 1, deadS: 4 } as const;
    const slice = withDaemons({ text: 'define x = 1;\n', bgp }, routing);
    store.slices.save(slice);
    expect(store.slices.find('three')).toEqual(slice);
    addInstance(slice, 'initial');
    for (const other of [read, withDaemons({ bgp }, routing), withDaemons({ text: 'define x = 1;\n', bgp })]) {
      expect(() => store.slices.save(other)).toThrow("slice 'three': the VNs changed while VN 'three' is installed");
    }
    const [status] = sliceStatus(store, slice).vns[0]!.instances;
    expect(status!.routers.map(({ router, kind }) => [router, kind])).toEqual(
      slice.vns[0]!.routers.map(({ name }) => [name, 'bird']),
    );
    const db = new Database(join(directory, 'test.db'));
    db.exec("update virtual_routers set kind = 'abacus'");
    db.close();
    expect(() => store.slices.find('three')).toThrow(
      /^router '\w+' in the database is of kind 'abacus', which this version does not support$/,
    );
  });

  test('any slice is stored unchanged, and replaces an earlier version', () => {
    fc.assert(
      fc.property(arbitrarySlice, (slice) => {
        store.slices.save(slice);
        expect(store.slices.find(slice.name)).toEqual(slice);
      }),
      { numRuns: 30 },
    );
  });

  test('a slice with an installed VN can change only latencies, flows and placements', () => {
    const slice = readSlice(gallery('three-node'));
    store.slices.save(slice);
    addInstance(slice, 'initial');
    const vn = slice.vns[0]!;
    const changed = { ...slice, vns: [{ ...vn, links: vn.links.slice(1) }] };
    expect(() => store.slices.save(changed)).toThrow("slice 'three': the VNs changed while VN 'three' is installed");
    expect(() => store.slices.save({ ...slice, number: 7 })).toThrow(
      "slice 'three': 'number' changed while VN 'three' is installed",
    );
    expect(store.slices.find('three')).toEqual(slice);
    const allowed = {
      ...slice,
      latency: { ...slice.latency, defaultMs: 5 },
      vns: [{ ...vn, flows: vn.flows.slice(2) }],
    };
    store.slices.save(allowed);
    expect(store.slices.find('three')).toEqual(allowed);
    expect(store.instances.list()).toHaveLength(1);
  });
});

describe('instances', () => {
  test('a plan and its routes are stored and loaded unchanged', () => {
    const slice = readSlice(gallery('overlap'));
    store.slices.save(slice);
    const { record, instance } = addInstance(slice, 'initial');
    expect(store.instances.plan(record.id)).toEqual(instance);
    const routes = computeRoutes(slice.vns[0]!, instance, planVn(slice, slice.vns[0]!).access);
    store.instances.saveRoutes(record.id, routes);
    expect(store.instances.routes(record.id)).toEqual(routes);
  });

  test('the kind of a tunnel is stored, whatever the nodes of its ends', () => {
    const slice = sharedNode();
    store.slices.save(slice);
    const { record, instance } = addInstance(slice, 'initial');
    const kinds = () => store.instances.plan(record.id).links.map(({ tunnel }) => tunnel);
    expect(kinds()).toEqual(instance.links.map(({ a, b }) => (a.node === b.node ? 'local' : 'vxlan')));
    const db = new Database(join(directory, 'test.db'));
    db.exec("update tunnels set kind = iif(kind = 'local', 'vxlan', 'local')");
    expect(kinds()).toEqual(instance.links.map(({ a, b }) => (a.node === b.node ? 'vxlan' : 'local')));
    const [tunnel] = sliceStatus(store, slice).vns[0]!.instances[0]!.tunnels;
    expect(tunnel!.kind).toBe(kinds()[0]);
    db.exec("update tunnels set kind = 'tincans'");
    expect(kinds).toThrow("the database has a tunnel of kind 'tincans', which this version does not support");
    db.close();
  });

  test('the end of a tunnel can be stored without a MAC address', () => {
    const slice = readSlice(gallery('three-node'));
    const vn = slice.vns[0]!;
    store.slices.save(slice);
    const plan = (slot: number): Instance => {
      const { links, ...instance } = planInstance(slice, vn, vn.placements.get('initial')!, slot);
      const bare = ({ mac: _, ...end }: LinkEnd) => end;
      return { ...instance, links: links.map((link) => ({ ...link, a: bare(link.a), b: bare(link.b) })) };
    };
    const { record, instance } = store.instances.add('three', vn.name, 'initial', 4, plan, namespaces(slice));
    expect(store.instances.plan(record.id)).toEqual(instance);
  });

  test('added routes are stored apart from the routes of the VN, and removed with the instance', () => {
    const slice = readSlice(gallery('overlap'));
    store.slices.save(slice);
    const { record, instance } = addInstance(slice, 'initial');
    const { instances } = store;
    const routes = computeRoutes(slice.vns[0]!, instance, planVn(slice, slice.vns[0]!).access);
    const [router, other] = [...routes.keys()] as [string, string];
    const added: Route[] = [
      { prefix: '10.99.0.0/24', type: 'blackhole', nexthops: [], metric: 7, protocol: 'boot' },
      { ...routes.get(router)![0]!, source: '10.66.0.1' },
    ];
    instances.saveRoutes(record.id, routes);
    instances.saveAddedRoutes(record.id, router, added);
    instances.saveAddedRoutes(record.id, other, added.slice(1));
    instances.saveAddedRoutes(record.id, other, []);
    instances.saveRoutes(record.id, routes);
    expect(instances.routes(record.id)).toEqual(routes);
    expect(instances.addedRoutes(record.id)).toEqual(new Map([[router, added]]));
    instances.remove(record.id);
    instances.saveAddedRoutes(record.id, router, added);
    expect(instances.addedRoutes(record.id)).toEqual(new Map());
  });

  test('slots are used from the lowest, reused, and limited', () => {
    const slice = readSlice(gallery('three-node'));
    store.slices.save(slice);
    const slots = [addInstance(slice, 'initial', 2), addInstance(slice, 'final', 2)].map(({ record }) => record.slot);
    expect(slots).toEqual([0, 1]);
    expect(() => addInstance(slice, 'final', 2)).toThrow(
      "slice 'three' has no room for another instance: all 2 are in use",
    );
    store.instances.remove(store.instances.list()[0]!.id);
    expect(addInstance(slice, 'final', 2).record.slot).toBe(0);
  });

  test('only one instance of a VN is active', () => {
    const slice = readSlice(gallery('three-node'));
    store.slices.save(slice);
    const old = addInstance(slice, 'initial').record;
    const fresh = addInstance(slice, 'final').record;
    store.instances.activate(old.id);
    expect(() => store.instances.setState(fresh.id, 'active')).toThrow(/UNIQUE constraint failed/);
    store.instances.activate(fresh.id, old.id);
    expect(store.instances.active('three', 'three')?.placementName).toBe('final');
    expect(store.instances.list().map(({ state }) => state)).toEqual(['draining', 'active']);
  });
});

describe('migrations', () => {
  test('a migration is stored with its phases, redirections, flows and outcome', () => {
    const id = store.migrations.start({
      slice: 'three',
      vn: 'three',
      from: 'initial',
      to: 'final',
      control: 'remote',
      schedule: 'simultaneous',
      urpf: 'strict',
      options: '{}',
      urpfBefore: 'strict',
      oldInstance: 7,
    });
    store.migrations.phase(id, 'add nodes', 1000);
    store.migrations.phase(id, 'set up', 1500);
    store.migrations.progress(id, { newInstance: 8 });
    expect(store.migrations.find(id)?.fromRecord).toBeNull();
    store.migrations.progress(id, { fromRecord: ['a', 'c'] });
    store.migrations.progress(id, { armedId: 'm1', drainMs: 5 });
    expect(store.migrations.find(id)?.fromRecord).toEqual(['a', 'c']);
    store.migrations.progress(id, { fromRecord: [] });
    expect(store.migrations.list('three')[0]?.fromRecord).toEqual([]);
    expect(store.migrations.unfinished('three', 'three')).toMatchObject([
      { id, state: 'set up', oldInstance: 7, newInstance: 8, armedId: 'm1', drainMs: 5 },
    ]);
    expect(store.migrations.unfinished('other')).toEqual([]);
    store.migrations.finish(id, 'failed', 1800, 'node p4 is unreachable');
    expect(store.migrations.list('three')[0]).toMatchObject({ state: 'set up', outcome: 'failed' });
    store.migrations.finish(id, 'rolled-back', 2000, 'node p4 is unreachable');
    expect(store.migrations.list('three')[0]).toMatchObject({
      state: 'rolled-back',
      outcome: 'rolled-back',
      error: 'node p4 is unreachable',
    });
    expect(store.migrations.list('other')).toEqual([]);
    expect(store.migrations.unfinished()).toEqual([]);
  });

  test('a migration by method vroom that failed between two routers is unfinished until another one follows', () => {
    const slice = readSlice(gallery('three-node'));
    store.slices.save(slice);
    const { record } = addInstance(slice, 'initial');
    store.instances.activate(record.id);
    const failed = (method: string) => {
      const options = JSON.stringify({ method });
      const id = store.migrations.start(migrationStart({ oldInstance: record.id, options }));
      store.migrations.finish(id, 'failed', 1800, 'node gb is unreachable');
      return id;
    };
    const id = failed('vroom');
    expect(store.migrations.unfinished('three', 'three')).toMatchObject([{ id, outcome: 'failed' }]);
    failed('instance');
    expect(store.migrations.unfinished()).toEqual([]);
  });
});

describe('locks', () => {
  const holder = { host: 'here', boot: '1', pid: 1, processStart: '1' };
  const acquire = (slice: string, vn?: string, isDead = false) =>
    store.locks.acquire({ slice, vn, command: 'migrate', holder }, () => isDead);

  test('locks on different VNs do not conflict, but a lock on the whole slice does', () => {
    const one = acquire('three', 'one');
    expect(acquire('three', 'two')).toBeTypeOf('number');
    expect(acquire('other')).toBeTypeOf('number');
    expect(acquire('three', 'one')).toMatchObject({ id: one, slice: 'three', vn: 'one', command: 'migrate' });
    expect(acquire('three')).toMatchObject({ id: one });
  });

  test('a lock ends with its process, or when it is released', () => {
    const first = acquire('three') as number;
    expect(acquire('three', 'one')).toMatchObject({ id: first, vn: null });
    const second = acquire('three', 'one', true) as number;
    expect(store.locks.list().map(({ id }) => id)).toEqual([second]);
    store.locks.release(second);
    expect(store.locks.list()).toEqual([]);
  });
});

describe('the database file', () => {
  test('the database keeps its content when it is closed and opened', () => {
    const slice = readSlice(gallery('two-node'));
    store.slices.save(slice);
    store.close();
    store = openStore(store.path);
    expect(store.slices.find('two')).toEqual(slice);
  });
});
