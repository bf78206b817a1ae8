import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graphsOf } from '../../src/controller/graph.ts';
import type { LiveStatus } from '../../src/controller/live.ts';
import type { Placement, Slice } from '../../src/model/slice.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { parseSlice, readSlice } from '../../src/slicefile/index.ts';
import type { Store } from '../../src/store/store.ts';
import { migrationStart } from '../support/migrations.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;
let slice: Slice;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
  slice = readSlice(gallery('three-node'));
  store.slices.save(slice);
});
afterEach(() => remove());

const placement = (name: string): Placement => slice.vns[0]!.placements.get(name)!;

function add(name: string | null, where: Placement): number {
  const namespaces = new Map([...where.keys()].map((router) => [router, `ns-${router}`]));
  const { record } = store.instances.add(
    'three',
    'three',
    name,
    4,
    (slot) => planInstance(slice, slice.vns[0]!, where, slot),
    () => namespaces,
  );
  return record.id;
}

const sides = (placements: readonly string[] = [], live?: LiveStatus) =>
  graphsOf(store, slice, { placements, live })[0]!.sides;
const titles = () => sides().map(({ title }) => title);
/** Where the routers are on each side; those that move have a star. */
const places = () =>
  sides().map(({ nodes }) =>
    nodes.flatMap(({ node, places: own }) =>
      own.filter(({ kind }) => kind === 'router').map(({ name, moves }) => `${name} ${node}${moves ? '*' : ''}`),
    ),
  );

describe('the sides of a graph', () => {
  it('a VN that is not installed is on its initial placement', () => {
    expect(titles()).toEqual(["placement 'initial', not installed"]);
  });

  it('an installed VN is where it is', () => {
    store.instances.activate(add('final', placement('final')));
    expect(titles()).toEqual(["placement 'final', carries the traffic"]);
    expect(places()[0]).toEqual([...placement('final')].map(([router, node]) => `${router} ${node}`));
  });

  it('an unfinished migration has an old and a new side, also after the traffic has moved', () => {
    const [old, fresh] = [add('initial', placement('initial')), add('final', placement('final'))];
    store.instances.activate(old);
    const nodes = (name: string) => Object.fromEntries(placement(name));
    const start = migrationStart({ fromNodes: nodes('initial'), toNodes: nodes('final'), oldInstance: old });
    store.migrations.start(start);
    expect(titles()).toEqual(["old: placement 'initial', carries the traffic", "new: placement 'final'"]);
    expect(graphsOf(store, slice, { placements: [] })[0]!.migration).toMatch(
      /^the migration from 'initial' to 'final' is unfinished \(.+\)$/,
    );
    const moving = [...placement('initial')].filter(([router, node]) => placement('final').get(router) !== node);
    expect(moving.length).toBeGreaterThan(0);
    for (const side of places()) expect(side.filter((text) => text.endsWith('*'))).toHaveLength(moving.length);
    store.instances.activate(fresh, old);
    expect(titles()).toEqual(["old: placement 'initial'", "new: placement 'final', carries the traffic"]);
  });

  it('a router that is moving alone has two sides', () => {
    const id = add('initial', placement('initial'));
    store.instances.activate(id);
    const [router] = [...placement('initial').keys()];
    const to = [...placement('final').values()].find((node) => node !== placement('initial').get(router!))!;
    store.instances.beginMove(id, router!, { node: to, namespace: 'ns-new' });
    expect(titles()).toEqual(["old: placement 'initial', carries the traffic", 'new: a placement without a name']);
    expect(places()[1]).toContain(`${router} ${to}*`);
  });

  it('named placements are drawn as named, at most two', () => {
    expect(sides(['final', 'initial']).map(({ title }) => title)).toEqual(["placement 'final'", "placement 'initial'"]);
    expect(() => sides(['final', 'initial', 'final'])).toThrow('3 placements for one picture');
    expect(() => sides(['fnal'])).toThrow("VN 'three' has no placement 'fnal'");
  });

  it('each VN of a slice has its graph, or one that is named', () => {
    const shared = readSlice(gallery('shared-nodes'));
    expect(graphsOf(store, shared, { placements: [] }).map(({ vn }) => vn)).toEqual(['red', 'blue']);
    expect(graphsOf(store, shared, { placements: [], vn: 'blue' }).map(({ vn }) => vn)).toEqual(['blue']);
  });
});

describe('what a side shows', () => {
  it('links have the declared latencies of their ends, and none within a node', () => {
    const text = `slice: s
vnet: 10.90.0.0/16
substrate: { nodes: { n1: {}, n2: {}, g: {}, h: {} }, latency: { links: [[n1, n2, 7], [g, n1, 2]] } }
vn:
  name: v
  routers: [a, b, c]
  links: [[a, b], [b, c, 3]]
  gateways: { G: { node: g, router: a } }
  endHosts: { e: { node: h, gateway: G } }
placements: { initial: { a: n1, b: n1, c: n2 } }
`;
    const [graph] = graphsOf(store, parseSlice(text, 's.yaml'), { placements: [] });
    expect(graph!.sides[0]!.links).toEqual([
      { from: 'router a', to: 'router b', cost: 1 },
      { from: 'router b', to: 'router c', latencyMs: 7, cost: 3 },
      { from: 'gateway G', to: 'router a', latencyMs: 2 },
      { from: 'end host e', to: 'gateway G' },
    ]);
    expect(graph!.sides[0]!.nodes.map(({ node, places: own }) => [node, ...own.map(({ name }) => name)])).toEqual([
      ['n1', 'a', 'b'],
      ['n2', 'c'],
      ['g', 'G'],
      ['h', 'e'],
    ]);
  });

  it('a live status marks nodes and routing daemons', () => {
    const [first, second, third] = [...new Set([...placement('initial').values()])];
    const difference = { kind: 'route' as const, name: 'x', wanted: null, found: 'y', additional: false };
    const live: LiveStatus = {
      slice: 'three',
      equal: false,
      differences: [
        { node: first!, ...difference },
        { node: first!, ...difference },
      ],
      unreachable: [{ node: second!, message: 'no answer' }],
      failed: third === undefined ? [] : [{ node: third, message: 'failed' }],
      notCompared: [],
      migrating: [],
    };
    const problems = new Map(sides(['initial'], live)[0]!.nodes.map(({ node, problem }) => [node, problem]));
    expect(problems.get(first!)).toBe('2 differences');
    expect(problems.get(second!)).toBe('unreachable');
    expect([...problems.values()].filter((problem) => problem === undefined).length).toBeGreaterThan(0);
  });
});
