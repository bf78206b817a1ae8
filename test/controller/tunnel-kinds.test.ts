/** How an instance's links are made depends on the planned kind of each, and on the table of kinds. */

import { afterEach, describe, expect, test } from 'vitest';
import { setUpAccess } from '../../src/controller/batches/access.ts';
import type { Layout } from '../../src/controller/batches/batches.ts';
import { joinGateways } from '../../src/controller/batches/gateways.ts';
import { vifUp } from '../../src/controller/batches/operations.ts';
import { setUpRouters } from '../../src/controller/batches/routers.ts';
import { tunnelMtu } from '../../src/controller/probe/mtu.ts';
import { tunnelsOf } from '../../src/controller/probe/tunnel-sizes.ts';
import { type TunnelDescriptor, type TunnelKind, tunnelKinds } from '../../src/model/tunnel.ts';
import { type Instance, planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { playedAgents } from '../support/played-agents.ts';
import { sharedNode } from '../support/slices.ts';

const slice = sharedNode();
const vn = slice.vns[0]!;
const access = planVn(slice, vn).access;

/** A kind that no data plane has. */
const madeUp: TunnelDescriptor = {
  overheadBytes: 120,
  layer: 3,
  carriedBy: { over: 'ip', protocol: 47 },
  hasMac: false,
};
const kinds = tunnelKinds as unknown as Record<string, TunnelDescriptor>;

afterEach(() => {
  delete kinds['made-up'];
});

const planned = (placement: string) => planInstance(slice, vn, vn.placements.get(placement)!, 0);

/** The instance with another kind of link than planned. */
function ofKind(kind: string, { links, ...instance }: Instance): Instance {
  return { ...instance, links: links.map((link) => ({ ...link, tunnel: kind as TunnelKind })) };
}

/** Agents on nodes whose interfaces carry this many bytes. */
function agentsWith(mtu: number) {
  return playedAgents(slice, (_node, _method, { remotes }: { remotes: string[] }) => ({
    mtus: remotes.map(() => mtu),
  }));
}

function tunnelsIn(batches: ReadonlyMap<string, readonly OperationInput[]>) {
  return [...batches.values()].flat().filter((operation) => operation.op === 'tunnel_up');
}

describe('a link', () => {
  test('a link is planned as a local pair exactly if both of its ends are on one node', () => {
    const links = [...vn.placements.keys()].flatMap((placement) => planned(placement).links);
    expect(new Set(links.map(({ tunnel }) => tunnel))).toEqual(new Set(['vxlan', 'local']));
    for (const { tunnel, a, b } of links) expect(tunnel).toBe(a.node === b.node ? 'local' : 'vxlan');
  });

  test('a link is made according to its kind, wherever its ends are', () => {
    const agents = agentsWith(1500);
    const layout: Layout = { ...planVn(slice, vn), names: agents, mtu: 1400, urpf: 'strict' };
    const made = (instance: Instance) => [
      ...tunnelsIn(setUpRouters(layout, instance)),
      ...tunnelsIn(joinGateways(layout, instance)),
    ];
    const { length } = planned('initial').links;
    const pairs = made(ofKind('local', planned('initial')));
    expect(pairs.map(({ kind }) => kind)).toEqual(Array(length).fill('local'));
    const ends = made(ofKind('vxlan', planned('initial')));
    expect(ends).toHaveLength(2 * length);
    for (const end of ends) expect(end).toMatchObject({ kind: 'vxlan', port: tunnelKinds.vxlan.carriedBy.port });
  });

  test('a link is tried with packets if its kind joins two nodes', () => {
    const agents = agentsWith(1500);
    expect(tunnelsOf(vn, ofKind('local', planned('initial')), agents)).toEqual([]);
    const all = tunnelsOf(vn, ofKind('vxlan', planned('initial')), agents);
    expect(all.map(({ link }) => link)).toEqual(planned('initial').links.map((_, index) => index));
  });

  test('the neighbour of a link without MAC addresses is given without one', () => {
    const [a, b] = [{ interface: 'pv001-a', address: '10.65.0.1' }, { address: '10.65.0.2' }];
    expect(vifUp(a, b, undefined)).toMatchObject({ peer: { address: '10.65.0.2' } });
    expect(vifUp(a, b, undefined)).not.toHaveProperty('peer.mac');
    expect(vifUp(a, { ...b, mac: '02:50:0a:41:00:02' }, undefined)).toHaveProperty('peer.mac', '02:50:0a:41:00:02');
  });
});

describe('the largest packets', () => {
  test.each([
    ['vxlan', 1450],
    ['made-up', 1380],
  ])('the overhead of links of kind %s reduces their largest packets', async (kind, mtu) => {
    kinds['made-up'] = madeUp;
    expect(await tunnelMtu(agentsWith(1500), ofKind(kind, planned('initial')), [])).toMatchObject({ mtu });
  });

  test('the largest packets of local links do not depend on the interfaces of nodes', async () => {
    expect(await tunnelMtu(agentsWith(700), ofKind('local', planned('initial')), [])).toEqual({ mtu: 1500 });
  });

  test('the largest packets of a VN also depend on its access links', async () => {
    const found = await tunnelMtu(agentsWith(700), ofKind('local', planned('initial')), access);
    expect(found).toMatchObject({ mtu: 650 });
    for (const operation of tunnelsIn(
      setUpAccess({ ...planVn(slice, vn), names: agentsWith(700), mtu: 650, urpf: 'strict' }),
    ))
      expect(operation).toMatchObject({ kind: 'vxlan' });
  });

  test.each([
    ['vxlan', 626],
    ['made-up', 696],
  ])('links of kind %s need an underlay MTU of %d bytes', async (kind, bytes) => {
    kinds['made-up'] = madeUp;
    const instance = ofKind(kind, planned('initial'));
    expect(await tunnelMtu(agentsWith(bytes), instance, [])).toMatchObject({ mtu: 576 });
    await expect(tunnelMtu(agentsWith(bytes - 1), instance, [])).rejects.toMatchObject({
      code: 'unsupported',
      hint: `tunnels need an underlay MTU of ${bytes} bytes or more`,
    });
  });
});
