/** Compares the computed demand of a slice with the actual batches of its nodes. */

import { describe, expect, it } from 'vitest';
import type { Layout } from '../../src/controller/batches/batches.ts';
import { desiredBatches } from '../../src/controller/batches/desired.ts';
import {
  accessDemand,
  addDemand,
  type Demand,
  exceeded,
  instanceDemand,
  largestDemand,
} from '../../src/model/demand.ts';
import { ownLimits, sharedLimits } from '../../src/model/limits.ts';
import type { Placement, VirtualNetwork } from '../../src/model/slice.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { livingSlice } from '../support/living-slice.ts';

const numbers = (count: number) => [...Array(count).keys()];

/**
 * A line of routers with a gateway at each end, and all end hosts at the first. The first router moves from s0 to s1;
 * the others stay on s0.
 */
function line(routers: number, endHosts: number, vnet = '10.96.0.0/16') {
  const names = numbers(routers).map((i) => `r${i}`);
  const place = (first: string) => `{ ${names.map((name, i) => `${name}: ${i === 0 ? first : 's0'}`).join(', ')} }`;
  const hosts = numbers(endHosts).map((i) => `h${i}`);
  return parseSlice(
    `slice: line
vnet: ${vnet}
substrate: { nodes: { s0: {}, s1: {}, g0: {}, g1: {}${hosts.map((name) => `, ${name}: {}`).join('')} } }
vn:
  name: line
  routers: [${names.join(', ')}]
  links: [${names
    .slice(1)
    .map((name, i) => `[r${i}, ${name}]`)
    .join(', ')}]
  gateways: { G0: { node: g0, router: r0 }, G1: { node: g1, router: r${routers - 1} } }
  endHosts: { ${hosts.map((name) => `${name}: { node: ${name}, gateway: G0 }`).join(', ')} }
placements: { initial: ${place('s0')}, final: ${place('s1')} }
`,
    'line.yaml',
  );
}

/** The objects that the operations for one instance create on a node, counted as by the agent. */
function made(slice: ReturnType<typeof line>, vn: VirtualNetwork, placement: Placement, node: string): Demand {
  const instance = planInstance(slice, vn, placement, 0);
  const routes = computeRoutes(vn, instance, planVn(slice, vn).access);
  const names = {
    address: () => '192.0.2.1',
    port: () => 20_001,
    tunnelKey: () => '00',
    namespacePrefix: () => 'pv-',
    resilient: () => true,
    gates: () => true,
  };
  const layout: Layout = { ...planVn(slice, vn), names, mtu: 1450, urpf: 'feasible' };
  const operations = desiredBatches(layout, { instances: [{ instance, routes }], active: instance }).get(node) ?? [];
  const count = (op: string) => operations.filter((operation) => operation.op === op).length;
  return {
    namespaces: count('netns_up'),
    tunnels: count('tunnel_up'),
    routes: count('vroute') + count('vif_up') + count('rule_up'),
    daemons: count('daemon_up'),
    machines: count('machine_up'),
    machineMib: 0,
  };
}

describe('demand', () => {
  it.each([
    [1, 1],
    [5, 0],
    [5, 4],
  ])(
    'the demand of a line of %i routers with %i end hosts matches its operations on each node',
    (routers, endHosts) => {
      const slice = line(routers, endHosts);
      const [vn] = slice.vns as [VirtualNetwork];
      for (const placement of vn.placements.values()) {
        for (const node of slice.nodes.keys()) {
          const counted = addDemand(instanceDemand(vn, placement, node), accessDemand(vn, node));
          expect([node, counted]).toEqual([node, made(slice, vn, placement, node)]);
        }
      }
    },
  );

  it('largestDemand adds the two placements that need the most of a node', () => {
    const slice = line(40, 2);
    expect(largestDemand(slice, 's0').namespaces).toBe(79);
    expect(largestDemand(slice, 's1').namespaces).toBe(1);
    expect(exceeded(largestDemand(slice, 's0'), sharedLimits)).toEqual([{ kind: 'namespaces', needed: 79, limit: 64 }]);
    expect(exceeded(largestDemand(slice, 's0'), ownLimits)).toEqual([]);
  });

  it('a routing daemon counts for every router that has one, twice while the VN migrates', () => {
    const slice = livingSlice(['bird', 'frr', 'bird', 'frr'], 'ospf');
    const [vn] = slice.vns as [VirtualNetwork];
    for (const placement of vn.placements.values()) {
      for (const node of slice.nodes.keys()) {
        const counted = instanceDemand(vn, placement, node).daemons;
        expect([node, counted]).toEqual([node, made(slice, vn, placement, node).daemons]);
      }
    }
    expect(largestDemand(slice, 'p1').daemons).toBe(3);
    expect(exceeded(largestDemand(slice, 'p1'), { ...ownLimits, daemons: 2 })).toEqual([
      { kind: 'daemons', needed: 3, limit: 2 },
    ]);
  });

  it('a gateway with 200 end hosts is within all limits', () => {
    const slice = line(2, 200);
    for (const node of slice.nodes.keys()) expect(exceeded(largestDemand(slice, node), sharedLimits)).toEqual([]);
  });

  it('a slice file is refused if a node would get more routes than fit in a batch', () => {
    expect(() => line(250, 256, '10.0.0.0/8')).toThrow(
      /line\.yaml:10:15: placement 'initial': node 's0' would have \d+ routes \(at most 120000 at once: place fewer routers on the node\)/,
    );
  });
});
