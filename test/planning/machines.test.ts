/** The configuration disks of routers that are virtual machines. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ImageRouter } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { configDisk } from '../../src/planning/machines/config-disk.ts';
import { computeRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { checkSlice } from '../../src/slicefile/index.ts';

const text = (routing: string, others: string) => `slice: s
number: 1
vnet: 10.65.0.0/16
substrate: { nodes: { n1: {}, n2: {}, g1: {}, g2: {}, h1: {}, h2: {} } }
vn:
  name: v
  ${routing}
  routers: [{ name: a, kind: image, image: x.img, userData: mine }, { name: b, kind: ${others} }]
  links: [[a, b, 5]]
  gateways: { ga: { node: g1, router: a }, gb: { node: g2, router: b } }
  endHosts: { ea: { node: h1, gateway: ga }, eb: { node: h2, gateway: gb } }
placements:
  initial: { a: n1, b: n2 }
`;
const image = { image: '/x.img', digest: '0'.repeat(64), bytes: 1 };

function planned(slice: Slice) {
  const vn = slice.vns[0]!;
  const plan = planVn(slice, vn);
  const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
  const disk = configDisk(plan, instance, vn.routers[0] as ImageRouter, 1400);
  return { vn, plan, instance, disk, routes: computeRoutes(vn, instance, plan.access) };
}
function read(routing: string, others: string) {
  const checked = checkSlice(text(routing, others), 's.yaml', undefined, () => image);
  if ('faults' in checked) throw new Error(checked.faults.map(({ message }) => message).join('; '));
  return planned(checked.slice);
}

test('without a routing protocol the guest gets the routes that a static router would have', () => {
  const { disk, instance, routes } = read('mtu: 1400', 'static');
  const [link, toGateway] = instance.links;
  expect(routes.get('a')).toEqual([]);
  expect(disk['router.conf']!.split('\n')).toEqual([
    'name a',
    `port ${link!.a.mac} ${link!.a.address}/31 1400`,
    `port ${toGateway!.b.mac} ${toGateway!.b.address}/31 1400`,
    `neighbour ${link!.a.mac} ${link!.b.address} ${link!.b.mac}`,
    `neighbour ${toGateway!.b.mac} ${toGateway!.a.address} ${toGateway!.a.mac}`,
    `route 10.65.0.0/31 via ${toGateway!.a.address}`,
    `route 10.65.0.2/31 via ${link!.b.address}`,
    `route ${instance.links[2]!.a.address}/32 via ${link!.b.address}`,
    `route ${instance.links[2]!.b.address}/32 via ${link!.b.address}`,
    '',
  ]);
  expect(disk['bird.conf']).toBeUndefined();
  expect(disk['user-data']).toBe('mine');
  expect(parse(disk['meta-data']!)).toEqual({ 'instance-id': 's-v-0-a', 'local-hostname': 'a' });
});

test('cloud-init finds the devices by their MAC addresses', () => {
  const { disk, instance } = read('mtu: 1400', 'static');
  const [link, toGateway] = instance.links;
  const { version, ethernets } = parse(disk['network-config']!);
  expect(version).toBe(2);
  expect(ethernets.eth0).toMatchObject({
    match: { macaddress: link!.a.mac },
    'set-name': 'eth0',
    addresses: [`${link!.a.address}/31`],
    mtu: 1400,
  });
  expect(ethernets.eth1.routes).toEqual([{ to: '10.65.0.0/31', via: toGateway!.a.address }]);
  expect(parse(disk['vendor-data']!).bootcmd).toHaveLength(3);
});

test('with a routing protocol the guest gets no routes but a configuration for BIRD with its own devices', () => {
  const { disk } = read('routing: { protocol: ospf }', 'bird');
  expect(disk['router.conf']).not.toContain('route ');
  expect(disk['bird.conf']).toContain(
    'interface "eth0" {\n      type ptp;\n      cost 5;\n      hello 10;\n      dead 40;',
  );
  expect(disk['bird.conf']).toContain('interface "eth0", "eth1";');
  expect(disk['bird.conf']).not.toContain('pv001');
});
