import { describe, expect, it } from 'vitest';
import { checkOperation, checkRequest } from '../../src/agent/policy.ts';
import type { FlowEntry } from '../../src/model/flow-entry.ts';
import type { Method } from '../../src/vsys/messages.ts';
import { type OperationInput, operationSchema } from '../../src/vsys/operations.ts';
import { type Policy, policySchema } from '../../src/vsys/policy.ts';
import { switchText } from '../../src/vsys/switch-config.ts';

const written = {
  slice: 'three',
  vnet: '10.65.0.0/16',
  interfacePrefix: 'pv001-',
  namespacePrefix: 'pv-three-',
  table: 50_001,
  rulePriority: 10_001,
  nexthops: { first: 65_536, last: 131_071 },
  vnis: { first: 4096, last: 8191 },
};
const policy = policySchema.parse(written);
const mac = '02:50:0a:41:00:01';
const inside = { interface: 'pv001-0l0a', namespace: 'pv-three-0-a' };
const vxlan = {
  op: 'tunnel_up',
  kind: 'vxlan',
  ...inside,
  mac,
  mtu: 1450,
  vni: 4096,
  remote: '192.0.2.7',
  port: 4789,
} as const;
const local = {
  op: 'tunnel_up',
  kind: 'local',
  ...inside,
  mac,
  mtu: 1450,
  peer: { interface: 'pv001-x', mac },
} as const;
const vif = { op: 'vif_up', ...inside, address: '10.65.0.1', peer: { address: '10.65.0.2', mac } } as const;
const route = { op: 'vroute', action: 'add', prefix: '10.65.9.0/24', nexthopId: 65_536 } as const;
const group = { op: 'group_up' as const, id: 65_540, members: [65_536], active: 65_536, resilient: true };

const forward = {
  op: 'forward_up' as const,
  side: 'listen' as const,
  localPort: 5353,
  address: '10.65.0.1',
  to: { address: '10.65.0.3', port: 53 },
};

const switchUp = { op: 'daemon_up' as const, namespace: 'pv-three-0-a', kind: 'openvswitch' as const };
const entry: FlowEntry = {
  in: 'pv001-0l0a',
  source: '10.65.0.0/31',
  destination: '10.65.0.2/31',
  output: { interface: 'pv001-0l1a', sender: mac, receiver: mac },
};

/** Of a switch with this entry and the ports that it names. */
function configOf(one: FlowEntry): string {
  const ports = [one.in!, one.output.interface].map((name, index) => ({ interface: name, number: index + 1 }));
  return switchText({ ports, entries: [one] });
}

const interfaces = 'names that begin with pv001-';
const namespaces = 'names that begin with pv-three-';
const prefixesInside = '10.65.0.0/16 and prefixes inside';

describe('checkOperation', () => {
  const allowed: OperationInput[] = [
    { op: 'netns_up', namespace: 'pv-three-0-a', urpf: 'strict' },
    { op: 'netns_down', namespace: 'pv-three-0-a' },
    vxlan,
    local,
    { op: 'tunnel_down', ...inside },
    vif,
    { op: 'vif_down', ...inside, address: '10.65.0.1' },
    route,
    { ...route, prefix: '10.65.0.0/16', source: '10.65.255.255' },
    { op: 'nexthop_up', id: 131_071, via: '10.65.0.2', interface: 'pv001-x' },
    { op: 'nexthop_down', id: 65_536 },
    group,
    { op: 'group_down', id: 65_540 },
    { op: 'rule_up' },
    { op: 'rule_down' },
    { op: 'gate_up', interface: 'pv001-x', limitBytes: 10_000 },
    { op: 'gate_down', interface: 'pv001-x' },
    forward,
    { ...forward, localPort: 65_535, to: { address: '10.65.255.255', port: 65_535 } },
    { op: 'forward_up', side: 'deliver', address: '10.65.0.1', port: 53 },
    { op: 'forward_down', side: 'listen', localPort: 5353 },
    { op: 'forward_down', side: 'deliver', address: '10.65.0.1', port: 53 },
    { op: 'daemon_up', namespace: 'pv-three-0-a', kind: 'frr', protocols: ['ospf', 'bgp'], config: '' },
    { op: 'daemon_down', namespace: 'pv-three-0-a' },
    { ...switchUp, config: configOf(entry) },
    { ...vxlan, alsoFrom: '192.0.2.9', alsoMac: mac },
  ];
  it.each(allowed)('checkOperation allows %j', (operation) => {
    expect(() => checkOperation(policy, operationSchema.parse(operation))).not.toThrow();
  });

  const refused: [OperationInput, string, string][] = [
    [{ ...switchUp, config: configOf({ ...entry, in: 'eth0' }) }, "interface 'eth0'", interfaces],
    [
      { ...switchUp, config: configOf({ ...entry, output: { ...entry.output, interface: 'pv002-0l0a' } }) },
      "interface 'pv002-0l0a'",
      interfaces,
    ],
    [{ ...switchUp, config: configOf({ ...entry, source: '10.66.0.0/31' }) }, 'prefix 10.66.0.0/31', prefixesInside],
    [{ ...switchUp, config: configOf({ ...entry, destination: '0.0.0.0/0' }) }, 'prefix 0.0.0.0/0', prefixesInside],
    [{ op: 'netns_up', namespace: 'pv-four-0-a', urpf: 'strict' }, "namespace 'pv-four-0-a'", namespaces],
    [{ op: 'netns_up', namespace: 'pv-three-', urpf: 'strict' }, "namespace 'pv-three-'", namespaces],
    [{ op: 'netns_down', namespace: 'default' }, "namespace 'default'", namespaces],
    [{ op: 'daemon_up', namespace: 'default', kind: 'bird', config: '' }, "namespace 'default'", namespaces],
    [{ op: 'daemon_down', namespace: 'default' }, "namespace 'default'", namespaces],
    [{ ...vxlan, interface: 'eth0' }, "interface 'eth0'", interfaces],
    [{ ...vxlan, interface: 'pv002-0l0a' }, "interface 'pv002-0l0a'", interfaces],
    [{ ...vxlan, namespace: 'other' }, "namespace 'other'", namespaces],
    [{ ...vxlan, vni: 4095 }, 'VNI 4095', '4096 to 8191'],
    [{ ...vxlan, vni: 8192 }, 'VNI 8192', '4096 to 8191'],
    [{ ...vxlan, port: 1023 }, 'UDP port 1023', '1024 to 65535'],
    [{ ...local, interface: 'lo' }, "interface 'lo'", interfaces],
    [{ ...local, namespace: 'other' }, "namespace 'other'", namespaces],
    [{ ...local, peer: { interface: 'eth0', mac } }, "interface 'eth0'", interfaces],
    [{ ...local, peer: { interface: 'pv001-x', namespace: 'other', mac } }, "namespace 'other'", namespaces],
    [{ op: 'tunnel_down', interface: 'eth0' }, "interface 'eth0'", interfaces],
    [{ op: 'tunnel_down', interface: 'pv001-x', namespace: 'other' }, "namespace 'other'", namespaces],
    [{ ...vif, interface: 'eth0' }, "interface 'eth0'", interfaces],
    [{ ...vif, namespace: 'other' }, "namespace 'other'", namespaces],
    [{ ...vif, address: '10.66.0.1' }, 'address 10.66.0.1', '10.65.0.0/16'],
    [{ ...vif, peer: { address: '10.64.255.255', mac } }, 'peer 10.64.255.255', '10.65.0.0/16'],
    [{ op: 'vif_down', ...inside, interface: 'eth0', address: '10.65.0.1' }, "interface 'eth0'", interfaces],
    [{ op: 'vif_down', ...inside, namespace: 'other', address: '10.65.0.1' }, "namespace 'other'", namespaces],
    [{ op: 'vif_down', ...inside, address: '192.168.0.1' }, 'address 192.168.0.1', '10.65.0.0/16'],
    [{ ...route, namespace: 'other' }, "namespace 'other'", namespaces],
    [{ ...route, prefix: '0.0.0.0/0' }, 'prefix 0.0.0.0/0', '10.65.0.0/16 and prefixes inside'],
    [{ ...route, prefix: '10.64.0.0/15' }, 'prefix 10.64.0.0/15', '10.65.0.0/16 and prefixes inside'],
    [{ ...route, action: 'delete', prefix: '10.66.0.0/24' }, 'prefix 10.66.0.0/24', '10.65.0.0/16 and prefixes inside'],
    [{ ...route, nexthops: [{ interface: 'eth0' }] }, "interface 'eth0'", interfaces],
    [{ ...route, nexthops: [{ interface: 'pv001-x', via: '192.0.2.1' }] }, 'via 192.0.2.1', '10.65.0.0/16'],
    [{ ...route, nexthopId: 65_535 }, 'nexthop 65535', '65536 to 131071'],
    [{ ...route, source: '192.0.2.1' }, 'source 192.0.2.1', '10.65.0.0/16'],
    [{ op: 'nexthop_up', id: 1, via: '10.65.0.2', interface: 'pv001-x' }, 'nexthop 1', '65536 to 131071'],
    [{ op: 'nexthop_up', id: 65_536, via: '10.66.0.2', interface: 'pv001-x' }, 'via 10.66.0.2', '10.65.0.0/16'],
    [{ op: 'nexthop_up', id: 65_536, via: '10.65.0.2', interface: 'eth0' }, "interface 'eth0'", interfaces],
    [{ op: 'nexthop_down', id: 131_072 }, 'nexthop 131072', '65536 to 131071'],
    [{ ...group, id: 7 }, 'nexthop 7', '65536 to 131071'],
    [{ ...group, members: [65_536, 7] }, 'nexthop 7', '65536 to 131071'],
    [{ ...group, active: 7 }, 'nexthop 7', '65536 to 131071'],
    [{ op: 'group_down', id: 7 }, 'nexthop 7', '65536 to 131071'],
    [{ op: 'gate_up', interface: 'eth0', limitBytes: 10_000 }, "interface 'eth0'", interfaces],
    [{ op: 'gate_down', interface: 'pv002-x' }, "interface 'pv002-x'", interfaces],
    [{ ...forward, localPort: 1023 }, 'UDP port 1023', '1024 to 65535'],
    [{ ...forward, address: '10.66.0.1' }, 'address 10.66.0.1', '10.65.0.0/16'],
    [{ ...forward, to: { address: '192.0.2.1', port: 53 } }, 'destination 192.0.2.1', '10.65.0.0/16'],
    [{ op: 'forward_up', side: 'deliver', address: '127.0.0.1', port: 53 }, 'address 127.0.0.1', '10.65.0.0/16'],
    [{ op: 'forward_down', side: 'deliver', address: '10.66.0.1', port: 53 }, 'address 10.66.0.1', '10.65.0.0/16'],
  ];
  it.each(refused)('checkOperation refuses %j', (operation, what, range) => {
    expect(() => checkOperation(policy, operationSchema.parse(operation))).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: `${what} does not belong to slice 'three' (allowed: ${range})`,
      }),
    );
  });

  it.each([
    ['10.65.3.4', "an address inside the vnet of slice 'three' (10.65.0.0/16)"],
    ['127.0.0.1', 'a loopback address'],
    ['127.255.255.255', 'a loopback address'],
    ['0.0.0.0', 'not an address of another host'],
    ['224.0.0.5', 'a multicast address'],
    ['239.255.255.255', 'a multicast address'],
    ['240.0.0.1', 'a reserved address'],
    ['255.255.255.255', 'the broadcast address'],
  ])('checkOperation refuses a tunnel to %s, which is %s', (remote, is) => {
    const hint = 'give an address at which the nodes can reach each other';
    const refusal = (message: string) => expect.objectContaining({ code: 'forbidden', message, hint });
    expect(() => checkOperation(policy, operationSchema.parse({ ...vxlan, remote }))).toThrow(
      refusal(`tunnel end ${remote} of interface '${vxlan.interface}' is ${is}`),
    );
    expect(() => checkRequest(policy, 'path_mtu', { remotes: [remote] })).toThrow(refusal(`remote ${remote} is ${is}`));
  });

  it('checkOperation refuses a group without room for its lead', () => {
    const nexthops = { first: 65_536, last: 65_599 };
    const narrow = policySchema.parse({ ...written, nexthops });
    const refusal = expect.objectContaining({
      code: 'forbidden',
      message: "nexthop 81924 does not belong to slice 'three' (allowed: 65536 to 65599)",
    });
    expect(() => checkOperation(narrow, operationSchema.parse(group))).toThrow(refusal);
    const groups = [{ id: group.id, active: 65_536 }];
    expect(() => checkRequest(narrow, 'redirect', { groups })).toThrow(refusal);
  });

  it('checkOperation refuses what the policy does not list', () => {
    const narrow = policySchema.parse({ ...written, operations: ['vroute', 'routes'] });
    checkOperation(narrow, operationSchema.parse(route));
    expect(() => checkOperation(narrow, { op: 'rule_up' })).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: "slice 'three' may not use 'rule_up' on this node (allowed: vroute, routes)",
      }),
    );
  });
});

describe('checkRequest', () => {
  const arm = (action: object) => ({ id: 'a', at: 1, actions: [{ offsetMs: 0, ...action }] });
  const send = { stream: 's', from: '10.65.0.1', to: '10.65.0.2', port: 9, payloadBytes: 100, rateBps: 1e6 };
  const refused: [Method, object, string, string][] = [
    ['apply', { operations: [{ op: 'netns_down', namespace: 'other' }] }, "namespace 'other'", namespaces],
    ['routes', { namespace: 'other' }, "namespace 'other'", namespaces],
    ['redirect', { groups: [{ id: 7, active: 65_536 }] }, 'nexthop 7', '65536 to 131071'],
    ['redirect', { groups: [{ id: 65_540, active: 7 }] }, 'nexthop 7', '65536 to 131071'],
    ['arm', arm({ kind: 'redirect', groups: [{ id: 7, active: 65_536 }] }), 'nexthop 7', '65536 to 131071'],
    ['arm', arm({ kind: 'redirect', groups: [{ id: 65_540, active: 7 }] }), 'nexthop 7', '65536 to 131071'],
    ['arm', arm({ kind: 'gate_close', interface: 'eth0' }), "interface 'eth0'", interfaces],
    ['arm', arm({ kind: 'flow', namespace: 'other', entries: [entry] }), "namespace 'other'", namespaces],
    [
      'arm',
      arm({ kind: 'flow', namespace: 'pv-three-0-a', entries: [{ ...entry, in: 'eth0' }] }),
      "interface 'eth0'",
      interfaces,
    ],
    ['arm', arm({ kind: 'neighbour', interface: 'eth0', address: '10.65.0.1', mac }), "interface 'eth0'", interfaces],
    [
      'arm',
      arm({ kind: 'neighbour', interface: 'pv001-x', address: '8.8.8.8', mac }),
      'neighbour 8.8.8.8',
      '10.65.0.0/16',
    ],
    ['stream_open', { stream: 's', address: '0.0.0.0' }, 'address 0.0.0.0', '10.65.0.0/16'],
    ['stream_open', { stream: 's', address: '10.65.0.1', sender: '8.8.8.8' }, 'sender 8.8.8.8', '10.65.0.0/16'],
    ['stream_send', { ...send, from: '192.0.2.1' }, 'from 192.0.2.1', '10.65.0.0/16'],
    ['stream_send', { ...send, to: '192.0.2.1' }, 'to 192.0.2.1', '10.65.0.0/16'],
    ['reach', { from: '192.0.2.1', to: ['10.65.0.1'], timeoutMs: 1 }, 'from 192.0.2.1', '10.65.0.0/16'],
    ['reach', { from: '10.65.0.1', to: ['10.65.0.2', '8.8.8.8'], timeoutMs: 1 }, 'to 8.8.8.8', '10.65.0.0/16'],
    ['watch', { from: '192.0.2.1', targets: [] }, 'from 192.0.2.1', '10.65.0.0/16'],
    [
      'watch',
      { from: '10.65.0.1', targets: [{ to: '10.65.0.2' }, { to: '8.8.8.8', port: 53 }] },
      'to 8.8.8.8',
      '10.65.0.0/16',
    ],
  ];
  it.each(refused)('checkRequest refuses %s with %j', (method, params, what, range) => {
    expect(() => checkRequest(policy, method, params as never)).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: `${what} does not belong to slice 'three' (allowed: ${range})`,
      }),
    );
  });

  it('checkRequest allows by name, and always hello, shutdown and what protects the node', () => {
    const narrow = policySchema.parse({ ...written, operations: ['routes'] });
    checkRequest(narrow, 'hello', {});
    checkRequest(narrow, 'shutdown', {});
    checkRequest(narrow, 'collisions', {});
    checkRequest(narrow, 'confirm', { token: 'any' });
    checkRequest(narrow, 'routes', { packed: false });
    checkRequest(narrow, 'apply', { operations: [], dryRun: false, repair: false });
    expect(() => checkRequest(narrow, 'inventory', {})).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: "slice 'three' may not use 'inventory' on this node (allowed: routes)",
      }),
    );
  });

  it("'*' includes programs in routers only on nodes of the user's own", () => {
    const requests: [Method, object][] = [
      ['exec', { namespace: 'pv-three-0-a', command: ['true'] }],
      ['capture', { namespace: 'pv-three-0-a', interface: 'pv001-x', snaplen: 100 }],
      ['daemon_dump', { namespace: 'pv-three-0-a' }],
      ['daemon_restore', { namespace: 'pv-three-0-a', bytes: 1, sha256: '0'.repeat(64) }],
    ];
    const all = policySchema.parse(written);
    const named = policySchema.parse({
      ...written,
      operations: ['*', 'exec', 'capture', 'daemon_dump', 'daemon_restore'],
    });
    const narrow = policySchema.parse({ ...written, operations: ['routes'] });
    for (const [method, params] of requests) {
      const check = (given: Policy, isOwnNode: boolean) => checkRequest(given, method, params as never, [], isOwnNode);
      check(all, true);
      check(named, false);
      expect(() => check(all, false)).toThrow(
        expect.objectContaining({
          code: 'forbidden',
          message: `slice 'three' may not use '${method}' on this node (allowed: *)`,
          hint: `'*' does not include it: ask the administrator of the node to allow it by name (pl-vnm agent install SLICE.yaml --operations '*,${method}')`,
        }),
      );
      expect(() => check(narrow, true)).toThrow(expect.objectContaining({ code: 'forbidden' }));
    }
    const part = { namespace: 'pv-three-0-a', offset: 0 };
    checkRequest(named, 'daemon_image_read', { ...part, bytes: 1 });
    expect(() => checkRequest(all, 'daemon_image_write', { ...part, data: '' })).toThrow(
      /may not use 'daemon_restore'/,
    );
    expect(() => checkRequest(all, 'daemon_settle', { ...part, outcome: 'moved' })).toThrow(
      /may not use 'daemon_dump'/,
    );
    const image = { digest: '0'.repeat(64) };
    expect(() => checkRequest(all, 'image_state', image)).toThrow(/may not use 'machine_up'/);
    checkRequest(all, 'image_state', image, [], true);
    const down = operationSchema.parse({ op: 'machine_down', namespace: 'pv-three-0-a' });
    checkOperation(all, down);
    checkRequest(narrow, 'exec_read', { id: '1b4e28ba-2fa1-4d2b-983f-2a5b4e6c7d8e' });
  });

  it.each([
    ['exec', { namespace: 'other', command: ['true'] }, "namespace 'other'", namespaces],
    ['capture', { namespace: 'other', interface: 'pv001-x' }, "namespace 'other'", namespaces],
    ['capture', { interface: 'eth0' }, "interface 'eth0'", interfaces],
    ['capture', { interface: 'pv002-x' }, "interface 'pv002-x'", interfaces],
    ['daemon_dump', { namespace: 'other' }, "namespace 'other'", namespaces],
    ['daemon_image_write', { namespace: 'other', offset: 0, data: '' }, "namespace 'other'", namespaces],
    ['daemon_restore', { namespace: 'other' }, "namespace 'other'", namespaces],
    ['daemon_settle', { namespace: 'other', outcome: 'moved' }, "namespace 'other'", namespaces],
    ['capture', { namespace: 'pv-three-0-a', interface: 'eth0' }, "interface 'eth0'", interfaces],
  ] as [Method, object, string, string][])(
    "checkRequest refuses %s with %j even on a node of the user's own",
    (method, params, what, range) => {
      expect(() => checkRequest(policy, method, params as never, [], true)).toThrow(
        expect.objectContaining({
          code: 'forbidden',
          message: `${what} does not belong to slice 'three' (allowed: ${range})`,
        }),
      );
    },
  );
});
