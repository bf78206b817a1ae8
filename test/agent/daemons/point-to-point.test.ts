/** The form of an interface that a routing daemon uses. */
import { expect, it } from 'vitest';
import type { Command, Step } from '../../../src/agent/dataplane/planner/commands.ts';
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import type { KernelState, Link } from '../../../src/agent/dataplane/planner/state.ts';
import { type OperationInput, operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';

const namespace = 'r-a';
const place = { namespace, interface: 'pv001-a' };
const mac = '02:50:0a:41:00:01';

function state(): KernelState {
  const vxlan = { vni: 4097, remote: '192.0.2.9', port: 4790 };
  const link: Link = {
    ...{ name: place.interface, kind: 'vxlan', mac, mtu: 1400, vxlan },
    ...{ up: true, hook: false, addresses: [], neighbours: [] },
  };
  const empty = { routes: new Map(), settings: new Map() };
  return {
    stacks: new Map([
      ['', { links: new Map(), ...empty }],
      [namespace, { links: new Map([[link.name, link]]), ...empty }],
    ]),
    nexthops: new Map(),
    rules: new Set(),
  };
}

function plan(from: KernelState, operations: readonly OperationInput[], { repair = false } = {}) {
  return planOperations(
    from,
    operations.map((one) => operationSchema.parse(one)),
    testPolicy('r-'),
    repair,
  );
}

const written = (step: Step) => ('ip' in step ? step.ip.join(' ') : 'other');

function lines(commands: readonly Command[]): string[] {
  return commands.map((command) => `${written(command.do)} <- ${command.undo.map(written).join('; ')}`);
}

const vif: OperationInput = {
  op: 'vif_up',
  ...place,
  address: '10.65.0.1',
  peer: { address: '10.65.0.2', mac },
  pointToPoint: true,
};

it('a point-to-point address names its neighbour, and its interface carries multicast', () => {
  const first = plan(state(), [vif]);
  expect(lines(first.commands)).toEqual([
    'link set pv001-a multicast on <- link set pv001-a multicast off',
    'address add 10.65.0.1 peer 10.65.0.2/32 dev pv001-a noprefixroute <- address del 10.65.0.1 peer 10.65.0.2/32 dev pv001-a noprefixroute',
    expect.stringMatching(/^neighbour replace 10.65.0.2 /),
    expect.stringMatching(/^route add 10.65.0.2\/32 /),
  ]);
  expect(plan(first.state, [vif]).commands).toEqual([]);
  expect(plan(first.state, [{ op: 'vif_down', ...place, address: '10.65.0.1' }]).results).toMatchObject([
    { status: 'changed' },
  ]);
});

it('an address of the other form is a conflict, which a repair replaces', () => {
  const plain = plan(state(), [{ ...vif, pointToPoint: false }]).state;
  expect(() => plan(plain, [vif])).toThrow(
    "interface 'pv001-a' in namespace 'r-a' has address 10.65.0.1/32, requested: 10.65.0.1 peer 10.65.0.2/32",
  );
  const repaired = plan(plain, [vif], { repair: true }).state;
  expect(plan(repaired, [vif]).commands).toEqual([]);
  const back = plan(repaired, [{ ...vif, pointToPoint: false }], { repair: true }).state;
  expect(back.stacks.get(namespace)!.links.get('pv001-a')).toMatchObject({
    multicast: false,
    addresses: [{ length: 32 }],
  });
});

it("an interface of the node's own stack cannot be point-to-point", () => {
  const own = plan(state(), [
    {
      op: 'tunnel_up',
      kind: 'vxlan',
      interface: 'pv001-g',
      mac,
      mtu: 1400,
      vni: 4098,
      remote: '192.0.2.9',
      port: 4790,
    },
  ]).state;
  expect(() => plan(own, [{ ...vif, namespace: undefined, interface: 'pv001-g' }])).toThrow('cannot be point-to-point');
});
