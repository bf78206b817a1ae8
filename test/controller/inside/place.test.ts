import { describe, expect, it } from 'vitest';
import { findLink, findPlace } from '../../../src/controller/inside/place.ts';
import type { Slice } from '../../../src/model/slice.ts';
import { type InstanceLink, planInstance } from '../../../src/planning/instance.ts';
import { planVn } from '../../../src/planning/vn-plan.ts';
import { parseSlice } from '../../../src/slicefile/index.ts';

/** A router, a gateway and an end host have the name `a`, two of them `both`; both VNs have an end host `e`. */
const text = `slice: s
vnet: 10.65.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, g1: {}, g2: {}, h1: {}, h2: {}, h3: {}, p3: {}, q1: {}, gq: {}, hq: {} }
vns:
  - name: left
    routers: [a, b, both]
    links: [[a, b], [b, both]]
    gateways: { a: { node: g1, router: b }, G: { node: g2, router: a } }
    endHosts: { a: { node: h1, gateway: a }, e: { node: h2, gateway: G }, both: { node: h3, gateway: G } }
    flows: []
    placements: { initial: { a: p1, b: p2, both: p3 } }
  - name: right
    routers: [r]
    links: []
    gateways: { gr: { node: gq, router: r } }
    endHosts: { e: { node: hq, gateway: gr } }
    flows: []
    placements: { initial: { r: q1 } }
`;

function sliceOf(written: string): Slice {
  return parseSlice(written, 'slice.yaml');
}

describe('findPlace', () => {
  const slice = sliceOf(text);
  const find = (name: string, vn?: string) => {
    const { kind, vn: found, name: own } = findPlace(slice, name, vn);
    return [kind, found.name, own];
  };

  it('a name that only one has is enough', () => {
    expect(find('b')).toEqual(['router', 'left', 'b']);
    expect(find('r', 'right')).toEqual(['router', 'right', 'r']);
    expect(find('e', 'right')).toEqual(['end host', 'right', 'e']);
  });

  it('a name that several kinds have needs the kind', () => {
    const refusal = (message: string, hint: string) => expect.objectContaining({ code: 'usage', message, hint });
    expect(() => find('a')).toThrow(
      refusal("slice 's' has a router, a gateway and an end host 'a'", 'write router:a, gateway:a or host:a'),
    );
    expect(() => find('r', 'left')).toThrow('has no');
    expect(find('router:a')).toEqual(['router', 'left', 'a']);
    expect(find('gateway:a')).toEqual(['gateway', 'left', 'a']);
    expect(find('host:a')).toEqual(['end host', 'left', 'a']);
    expect(() => find('both')).toThrow(
      refusal("slice 's' has a router and an end host 'both'", 'write router:both or host:both'),
    );
  });

  it('a name of several VNs needs the VN', () => {
    expect(() => find('e')).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: "several VNs of slice 's' have an end host 'e'",
        hint: 'select one with --vn NAME: left, right',
      }),
    );
  });

  it('an unknown name is refused with the names of the others', () => {
    const refusal = (message: string, hint: string) => expect.objectContaining({ code: 'not-found', message, hint });
    expect(() => find('x')).toThrow(
      refusal(
        "slice 's' has no router, gateway or end host 'x'",
        'its routers are a, b, both, r; its gateways are a, G, gr; its end hosts are a, e, both, e',
      ),
    );
    expect(() => find('host:b')).toThrow(refusal("slice 's' has no end host 'b'", 'its end hosts are a, e, both, e'));
    expect(() => find('b', 'right')).toThrow(
      refusal(
        "VN 'right' has no router, gateway or end host 'b'",
        'its routers are r; its gateways are gr; its end hosts are e',
      ),
    );
  });
});

describe('findLink', () => {
  const slice = sliceOf(text);
  const vn = slice.vns[0]!;
  const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
  const { access } = planVn(slice, vn);
  const find = (place: string, name?: string) => {
    const { own, full } = findLink(slice, findPlace(slice, place, 'left'), instance, name);
    return [own.interface, full];
  };
  const ends = ({ a, b }: InstanceLink) => [a.interface, b.interface];

  it('a link of a router is found by the router or gateway at its other end, from both sides', () => {
    const [atA, atB] = ends(instance.links[0]!);
    expect(find('router:a', 'b')).toEqual([atA, 'router:b']);
    expect(find('b', 'router:a')).toEqual([atB, 'router:a']);
    expect(find('router:a', 'G')).toEqual([instance.links.at(-1)!.b.interface, 'gateway:G']);
    expect(find('b', 'gateway:a')[1]).toBe('gateway:a');
  });

  it('a gateway has a link to its router and one to each of its end hosts', () => {
    expect(find('G', 'a')).toEqual([instance.links.at(-1)!.a.interface, 'router:a']);
    expect(find('G', 'e')).toEqual([access[1]!.gatewayEnd.interface, 'host:e']);
  });

  it('the only link needs no name', () => {
    expect(find('host:a')).toEqual([access[0]!.hostEnd.interface, 'gateway:a']);
    expect(() => find('G')).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: "gateway 'G' has several links",
        hint: 'select one with --link NAME: a, e, both',
      }),
    );
  });

  it('a name of several neighbours needs the kind', () => {
    expect(() => find('b', 'a')).toThrow(
      expect.objectContaining({ code: 'usage', hint: 'write router:a or gateway:a' }),
    );
  });

  it('an unknown neighbour is refused with the names of the others', () => {
    expect(() => find('router:a', 'x')).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: "router 'a' has no link to 'x'",
        hint: 'its links lead to b, G',
      }),
    );
  });
});
