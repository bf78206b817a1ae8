import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { routerNames } from '../../src/model/router.ts';
import { declaredLatencyMs, type Slice } from '../../src/model/slice.ts';
import { checkSubnets, readSlice } from '../../src/slicefile/index.ts';

const directory = new URL('../../slices/', import.meta.url);
const files = readdirSync(directory).filter((file) => file.endsWith('.yaml'));
const textOf = (file: string) => readFileSync(new URL(file, directory), 'utf8');
const sliceOf = (file: string) => readSlice(fileURLToPath(new URL(file, directory)));

describe('the slices of the gallery', () => {
  it('the gallery has these slices', () => {
    expect(files).toEqual([
      'abilene-ospf.yaml',
      'abilene.yaml',
      'four-systems.yaml',
      'overlap.yaml',
      'shared-nodes.yaml',
      'three-node.yaml',
      'two-node.yaml',
      'unequal.yaml',
    ]);
  });

  it.each(files)('%s has no faults, describes its purpose, and can migrate', (file) => {
    const slice = sliceOf(file);
    expect(textOf(file)).toMatch(/^# .{20,}/);
    for (const vn of slice.vns) {
      expect([...vn.placements.keys()]).toEqual(['initial', 'final']);
      expect(vn.flows).not.toEqual([]);
    }
  });

  it('all slices of the gallery can be installed together', () => {
    const slices = files.map((file) => ({ file, slice: sliceOf(file) }));
    expect(checkSubnets(slices)).toEqual([]);
    expect(new Set(slices.map(({ slice }) => slice.number)).size).toBe(slices.length);
    expect(new Set(slices.map(({ slice }) => slice.name)).size).toBe(slices.length);
  });
});

describe('two-node.yaml', () => {
  it('two-node.yaml has 240 ms on the initial placement and 160 ms on the final one', () => {
    const slice = sliceOf('two-node.yaml');
    expect(alongMs(slice, 'gw1', 'n1', 'n2', 'gw2')).toBe(240);
    expect(alongMs(slice, 'gw1', 'n3', 'n4', 'gw2')).toBe(160);
  });
});

describe('unequal.yaml', () => {
  it('unequal.yaml has a new path that is slower in one direction and faster in the other', () => {
    const slice = sliceOf('unequal.yaml');
    expect(alongMs(slice, 'gw1', 'n1', 'n2', 'gw2')).toBe(40);
    expect(alongMs(slice, 'gw1', 'n3', 'n4', 'gw2')).toBe(80);
    expect(alongMs(slice, 'gw2', 'n2', 'n1', 'gw1')).toBe(80);
    expect(alongMs(slice, 'gw2', 'n4', 'n3', 'gw1')).toBe(40);
  });
});

describe('overlap.yaml', () => {
  it('overlap.yaml has a router that stays, two that swap and one that moves', () => {
    const [vn] = sliceOf('overlap.yaml').vns;
    const initial = vn!.placements.get('initial')!;
    const final = vn!.placements.get('final')!;
    expect(final.get('a')).toBe(initial.get('a'));
    expect([final.get('b'), final.get('c')]).toEqual([initial.get('c'), initial.get('b')]);
    expect([...initial.values()]).not.toContain(final.get('d'));
  });
});

describe('shared-nodes.yaml', () => {
  it('shared-nodes.yaml has two VNs whose routers start on the same nodes', () => {
    const { vns } = sliceOf('shared-nodes.yaml');
    const nodes = vns.map((vn) => new Set(vn.placements.get('initial')!.values()));
    expect(nodes).toHaveLength(2);
    expect(nodes[0]).toEqual(nodes[1]);
  });
});

describe('abilene.yaml', () => {
  /** The coordinates in degrees north and east. */
  const cities: Record<string, [latitude: number, longitude: number]> = {
    seattle: [47.61, -122.33],
    sunnyvale: [37.37, -122.04],
    losangeles: [34.05, -118.24],
    denver: [39.74, -104.99],
    kansascity: [39.1, -94.58],
    houston: [29.76, -95.37],
    chicago: [41.88, -87.63],
    indianapolis: [39.77, -86.16],
    atlanta: [33.75, -84.39],
    washington: [38.91, -77.04],
    newyork: [40.71, -74.01],
    saltlakecity: [40.76, -111.89],
    dallas: [32.78, -96.8],
    nashville: [36.16, -86.78],
  };
  const fibreKmPerMs = (2 / 3) * 299.792458;
  const slice = sliceOf('abilene.yaml');
  const [vn] = slice.vns;

  it('abilene.yaml has the eleven cities and fourteen links of the backbone', () => {
    expect(routerNames(vn!)).toEqual(Object.keys(cities).slice(0, 11));
    expect(vn!.links.map(({ from, to }) => `${from}-${to}`)).toEqual([
      'seattle-sunnyvale',
      'seattle-denver',
      'sunnyvale-losangeles',
      'sunnyvale-denver',
      'losangeles-houston',
      'denver-kansascity',
      'kansascity-houston',
      'kansascity-indianapolis',
      'houston-atlanta',
      'chicago-indianapolis',
      'chicago-newyork',
      'indianapolis-atlanta',
      'atlanta-washington',
      'washington-newyork',
    ]);
  });

  it.each(['initial', 'final'])('abilene.yaml has great-circle latencies on the %s placement', (name) => {
    const placement = vn!.placements.get(name)!;
    for (const { from, to } of vn!.links) {
      const ends = [placement.get(from)!, placement.get(to)!] as const;
      const expectedMs = Math.round((greatCircleKm(cities[ends[0]]!, cities[ends[1]]!) / fibreKmPerMs) * 10) / 10;
      expect([ends, declaredLatencyMs(slice.latency, ...ends)]).toEqual([ends, expectedMs]);
    }
  });

  it('abilene.yaml has great-circle lengths as costs', () => {
    const lengths = vn!.links.map(({ from, to }) => Math.round(greatCircleKm(cities[from]!, cities[to]!)));
    expect(vn!.links.map(({ cost }) => cost)).toEqual(lengths);
  });

  it('abilene.yaml places each router in its own city initially, and three of them in other cities finally', () => {
    const initial = vn!.placements.get('initial')!;
    const final = vn!.placements.get('final')!;
    for (const router of routerNames(vn!)) expect(initial.get(router)).toBe(router);
    const moved = routerNames(vn!).filter((router) => `${final.get(router)}` !== router);
    expect(moved.map((router) => `${router}-${final.get(router)}`)).toEqual([
      'denver-saltlakecity',
      'kansascity-dallas',
      'indianapolis-nashville',
    ]);
  });
});

/** The great-circle distance, by the haversine formula on a sphere with the earth's mean radius. */
function greatCircleKm(a: [number, number], b: [number, number]): number {
  const [latitudeA, longitudeA, latitudeB, longitudeB] = [...a, ...b].map((degrees) => (degrees * Math.PI) / 180);
  const h =
    Math.sin((latitudeB! - latitudeA!) / 2) ** 2 +
    Math.cos(latitudeA!) * Math.cos(latitudeB!) * Math.sin((longitudeB! - longitudeA!) / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(h));
}

function alongMs(slice: Slice, ...nodes: string[]): number {
  return nodes.slice(1).reduce((sum, node, i) => sum + declaredLatencyMs(slice.latency, nodes[i]!, node), 0);
}
