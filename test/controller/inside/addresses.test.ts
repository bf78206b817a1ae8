import { describe, expect, it } from 'vitest';
import { addressOf, ownersOf } from '../../../src/controller/inside/addresses.ts';
import type { PlaceName } from '../../../src/controller/inside/place.ts';
import { planInstance } from '../../../src/planning/instance.ts';
import { planVn } from '../../../src/planning/vn-plan.ts';
import { parseSlice } from '../../../src/slicefile/index.ts';

/** Routers a - b - c in a row; ga is at a with two end hosts, gc at c with one, gn at c without any. */
const slice = parseSlice(
  `slice: s
vnet: 10.65.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, g1: {}, g2: {}, g3: {}, h1: {}, h2: {}, h3: {} }
vn:
  name: vn
  routers: [a, b, c]
  links: [[a, b], [b, c]]
  gateways: { ga: { node: g1, router: a }, gc: { node: g2, router: c }, gn: { node: g3, router: c } }
  endHosts: { e1: { node: h1, gateway: ga }, e2: { node: h2, gateway: ga }, e3: { node: h3, gateway: gc } }
  flows: []
placements: { initial: { a: p1, b: p2, c: p3 } }
`,
  'slice.yaml',
);
const vn = slice.vns[0]!;
const plan = planVn(slice, vn);
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const [ab, bc, toA, toC, toN] = instance.links;
const [e1, e2, e3] = plan.access;

const router = (name: string): PlaceName => ({ kind: 'router', name });
const gateway = (name: string): PlaceName => ({ kind: 'gateway', name });
const host = (name: string): PlaceName => ({ kind: 'end host', name });
const address = (place: PlaceName, other: PlaceName) => addressOf(plan, instance, place, other);

describe('addressOf', () => {
  it('an end host has one address', () => {
    expect(address(host('e2'), router('c'))).toBe(e2!.hostEnd.address);
    expect(address(host('e3'), host('e1'))).toBe(e3!.hostEnd.address);
  });

  it('a router is reached at the link by which packets enter it', () => {
    expect(address(router('b'), host('e1'))).toBe(ab!.b.address);
    expect(address(router('b'), gateway('gn'))).toBe(bc!.a.address);
    expect(address(router('b'), router('c'))).toBe(bc!.a.address);
    expect(address(router('a'), host('e2'))).toBe(toA!.b.address);
    expect(address(router('c'), gateway('gc'))).toBe(toC!.b.address);
    expect(address(router('c'), host('e1'))).toBe(bc!.b.address);
  });

  it('a router reaches itself at some address of its own', () => {
    expect(address(router('b'), router('b'))).toBe(ab!.b.address);
  });

  it('a gateway is reached by end hosts at its own access link if it has one, by others at its link to the router', () => {
    expect(address(gateway('ga'), host('e2'))).toBe(e2!.gatewayEnd.address);
    expect(address(gateway('ga'), host('e3'))).toBe(e1!.gatewayEnd.address);
    expect(address(gateway('gn'), host('e1'))).toBe(toN!.a.address);
    expect(address(gateway('gc'), gateway('ga'))).toBe(toC!.a.address);
    expect(address(gateway('gc'), router('b'))).toBe(toC!.a.address);
  });

  it('a router without links is refused', () => {
    expect(() => addressOf(plan, { ...instance, links: [] }, router('a'), router('a'))).toThrow(
      expect.objectContaining({ code: 'not-found', message: "router 'a' has no link, and so no address" }),
    );
  });
});

it('every address of the VN has an owner', () => {
  const owners = ownersOf(plan, instance);
  expect(owners.size).toBe(2 * instance.links.length + 2 * plan.access.length);
  expect(owners.get(bc!.b.address)).toEqual(router('c'));
  expect(owners.get(toN!.a.address)).toEqual(gateway('gn'));
  expect(owners.get(e3!.gatewayEnd.address)).toEqual(gateway('gc'));
  expect(owners.get(e3!.hostEnd.address)).toEqual(host('e3'));
});
