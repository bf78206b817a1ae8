import { describe, expect, it } from 'vitest';
import { findLink, findPlace } from '../../../src/controller/inside/place.ts';
import type { Slice } from '../../../src/model/slice.ts';
import { planInstance } from '../../../src/planning/instance.ts';
import { parseSlice } from '../../../src/slicefile/index.ts';

/** A router, a gateway and an end host have the name `a`; both VNs have an end host `e`. */
const text = `slice: s
vnet: 10.65.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, g1: {}, g2: {}, h1: {}, h2: {}, q1: {}, gq: {}, hq: {} }
vns:
  - name: left
    routers: [a, b]
    links: [[a, b]]
    gateways: { a: { node: g1, router: b }, G: { node: g2, router: a } }
    endHosts: { a: { node: h1, gateway: a }, e: { node: h2, gateway: G } }
    flows: []
    placements: { initial: { a: p1, b: p2 } }
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

  it('a name of a router and an end host needs the kind', () => {
    expect(() => find('a')).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: "slice 's' has a router and an end host 'a'",
        hint: 'write router:a or host:a',
      }),
    );
    expect(find('router:a')).toEqual(['router', 'left', 'a']);
    expect(find('host:a')).toEqual(['end host', 'left', 'a']);
    expect(findPlace(slice, 'a', undefined, ['router']).kind).toBe('router');
  });

  it('a name of end hosts of several VNs needs the VN', () => {
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
      refusal("slice 's' has no router or end host 'x'", 'its routers are a, b, r; its end hosts are a, e, e'),
    );
    expect(() => find('host:b')).toThrow(refusal("slice 's' has no end host 'b'", 'its end hosts are a, e, e'));
    expect(() => find('b', 'right')).toThrow(
      refusal("VN 'right' has no router or end host 'b'", 'its routers are r; its end hosts are e'),
    );
  });
});

describe('findLink', () => {
  const slice = sliceOf(text);
  const vn = slice.vns[0]!;
  const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
  const find = (router: string, name: string) => {
    const { own, link } = findLink(instance, router, name);
    return [link.kind, own.router, own.node];
  };

  it('a link is found by the router or gateway at its other end, from both sides', () => {
    expect(find('a', 'b')).toEqual(['virtual', 'a', 'p1']);
    expect(find('a', 'G')).toEqual(['gateway', 'a', 'p1']);
    expect(find('b', 'router:a')).toEqual(['virtual', 'b', 'p2']);
    expect(find('b', 'gateway:a')).toEqual(['gateway', 'b', 'p2']);
  });

  it('a name of a router and a gateway needs the kind', () => {
    expect(() => find('b', 'a')).toThrow(
      expect.objectContaining({ code: 'usage', hint: 'write router:a or gateway:a' }),
    );
  });

  it('an unknown neighbour is refused with the names of the others', () => {
    expect(() => find('a', 'x')).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: "router 'a' has no link to 'x'",
        hint: 'its links lead to b, G',
      }),
    );
  });
});
