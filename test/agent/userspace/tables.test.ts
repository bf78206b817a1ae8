import { expect, it } from 'vitest';
import { forwardingOf, packetOf, route, router, tunnel } from './forwarding.ts';

const [host, far] = ['10.65.100.1', '10.65.101.1'];

function routerOf() {
  return forwardingOf(...tunnel(0), ...tunnel(1), route('10.65.100.0/24', [0]), route('10.65.101.0/24', [1]));
}
const stackOf = ({ forwarder }: ReturnType<typeof routerOf>) => forwarder.tables().stacks.get(router)!;

it('tables of a state with the same prefixes have the same prefix table, and the new ways', () => {
  const node = routerOf();
  const before = stackOf(node);
  node.apply(route('10.65.101.0/24', [0]));
  expect(stackOf(node).prefixes).toBe(before.prefixes);
  node.arrive(0, packetOf({ from: host, to: far }));
  expect(node.sent).toMatchObject([{ tunnel: 0 }]);
});

it('tables follow routes that come and go', () => {
  const node = routerOf();
  const remove = { op: 'vroute', action: 'delete', namespace: router, prefix: '10.65.101.0/24' } as const;
  node.apply(remove, route('10.65.102.0/24', [1]));
  for (const to of [far, '10.65.102.1']) node.arrive(0, packetOf({ from: host, to }));
  expect(node.drops()).toEqual({ 'no-route': 1 });
  expect(node.sent).toMatchObject([{ tunnel: 0 }, { tunnel: 1, to: '10.65.102.1' }]);
});

it('routes that lead to the same place share it', () => {
  const node = routerOf();
  node.apply(...[102, 103].map((third) => route(`10.65.${third}.0/24`, [1])), route('10.65.104.0/24', [0, 1]));
  const [routes, targets] = [stackOf(node).routes, stackOf(node).targets];
  const targetOf = (prefix: string) => targets[routes.findIndex((each) => each.prefix === prefix)];
  expect(targetOf('10.65.102.0/24')).toBe(targetOf('10.65.103.0/24'));
  expect(targetOf('10.65.104.0/24')).not.toBe(targetOf('10.65.103.0/24'));
});

it('of routes to one prefix that with the smallest metric counts', () => {
  const node = routerOf();
  node.apply({ ...route('10.65.101.0/24', [0]), metric: 5 } as ReturnType<typeof route>);
  node.arrive(0, packetOf({ from: host, to: far }));
  expect(node.sent).toMatchObject([{ tunnel: 1 }]);
});

it('packets follow the tables before while the next ones are prepared', () => {
  const node = routerOf();
  const count = 3000;
  const added = Array.from({ length: count }, (_, index) => route(`10.66.${index >> 8}.${index & 255}/32`, [1]));
  let forwarded = 0;
  const steps = node.applyInSteps([...added, route('10.65.101.0/24', [0])], () => {
    node.arrive(0, packetOf({ from: host, to: far }));
    forwarded += 1;
  });
  // Each route counts at least three times: the best of its prefix, the prefix itself, and the target.
  expect(steps).toBeGreaterThan((3 * count) / 500);
  expect(forwarded).toBe(steps - 1);
  expect(node.sent).toHaveLength(forwarded);
  expect(new Set(node.sent.map((sent) => sent.tunnel))).toEqual(new Set([1]));
  node.arrive(0, packetOf({ from: host, to: far }));
  node.arrive(0, packetOf({ from: host, to: '10.66.11.183' }));
  expect(node.sent.slice(forwarded)).toMatchObject([{ tunnel: 0 }, { tunnel: 1 }]);
});

it('one changed route among many is prepared in steps, too', () => {
  const node = routerOf();
  const count = 3000;
  node.apply(...Array.from({ length: count }, (_, index) => route(`10.66.${index >> 8}.${index & 255}/32`, [1])));
  const steps = node.applyInSteps([route('10.67.0.0/16', [0])]);
  expect(steps).toBeGreaterThan((3 * count) / 500);
});
